"""Produce, Fetch and ListOffsets: records in and out."""

from clients.embedded_kafka.batch import Batch
from clients.embedded_kafka.codes import ApiKey, Code, RefusedError
from clients.embedded_kafka.log import PartitionLog, wait_for_change
from clients.embedded_kafka.parts import Handler, Parts, now
from clients.embedded_kafka.wire import Fields, Request

LATEST = -1
EARLIEST = -2
NO_ANSWER_WANTED = 0
READ_COMMITTED = 1


async def produce(parts: Parts, request: Request) -> Fields | None:
    """Append each partition's batch, or say why not; no response when the producer wants none."""
    topics = [
        {
            "topic": topic["topic"],
            "partitions": [_append(parts, topic["topic"], wanted) for wanted in topic["partitions"]],
        }
        for topic in request.fields["topics"]
    ]
    return None if request.fields["required_acks"] == NO_ANSWER_WANTED else {"topics": topics}


def _append(parts: Parts, topic: str, wanted: Fields) -> Fields:
    number, code, offset, start = wanted["partition"], Code.NONE, -1, -1
    try:
        log = parts.topics.partition(topic, number)
        batch = Batch.parse(wanted["messages"] or b"")
        parts.transactions.check_append(batch, (topic, number))
        offset, start = log.append(batch), log.start_offset
    except RefusedError as refused:
        code = refused.code
    return {
        "partition": number,
        "error_code": code,
        "offset": offset,
        "timestamp": -1,
        "log_start_offset": start,
    }


async def fetch(parts: Parts, request: Request) -> Fields:
    """Return records when there are enough for the consumer, or when its wait is over."""
    wanted = request.fields
    deadline = now() + wanted["max_wait_time"] / 1000
    while True:
        reading = _Reading(parts, wanted)
        topics = [reading.topic(topic) for topic in wanted["topics"]]
        left = deadline - now()
        if reading.failed or reading.size >= max(1, wanted["min_bytes"]) or left <= 0:
            return {"topics": topics}
        await wait_for_change(reading.logs, left)


class _Reading:
    """One pass over the partitions that a fetch names."""

    def __init__(self, parts: Parts, wanted: Fields) -> None:
        self._parts = parts
        self._max_bytes: int = wanted["max_bytes"]
        self._committed_only: bool = wanted["isolation_level"] == READ_COMMITTED
        self.size = 0
        self.failed = False
        self.logs: list[PartitionLog] = []

    def topic(self, wanted: Fields) -> Fields:
        """Read the partitions of one topic."""
        name = wanted["topic"]
        return {"topics": name, "partitions": [self._partition(name, each) for each in wanted["partitions"]]}

    def _partition(self, topic: str, wanted: Fields) -> Fields:
        number = wanted["partition"]
        try:
            log = self._parts.topics.partition(topic, number)
            offset = wanted["fetch_offset"] if "fetch_offset" in wanted else wanted["offset"]
            room = min(wanted["max_bytes"], self._max_bytes - self.size)
            found = log.read(offset, committed_only=self._committed_only, max_bytes=room, at_least_one=self.size == 0)
        except RefusedError as refused:
            self.failed = True
            return _partition_answer(number, code=refused.code)
        self.logs.append(log)
        self.size += len(found.data)
        aborted = [{"producer_id": a.producer_id, "first_offset": a.first_offset} for a in found.aborted]
        return _partition_answer(number, log=log, data=found.data, aborted=aborted)


def _partition_answer(
    number: int,
    *,
    code: Code = Code.NONE,
    log: PartitionLog | None = None,
    data: bytes = b"",
    aborted: list[Fields] | None = None,
) -> Fields:
    return {
        "partition": number,
        "error_code": code,
        "highwater_offset": log.end_offset if log else -1,
        "last_stable_offset": log.last_stable_offset if log else -1,
        "log_start_offset": log.start_offset if log else -1,
        "aborted_transactions": aborted or [],
        "message_set": data,
    }


async def list_offsets(parts: Parts, request: Request) -> Fields:
    """Return the first or last offset of partitions, or the first one since a time."""
    committed_only = request.fields.get("isolation_level") == READ_COMMITTED
    return {
        "topics": [
            {
                "topic": topic["topic"],
                "partitions": [
                    _find_offset(parts, topic["topic"], wanted, committed_only=committed_only)
                    for wanted in topic["partitions"]
                ],
            }
            for topic in request.fields["topics"]
        ]
    }


def _find_offset(parts: Parts, topic: str, wanted: Fields, *, committed_only: bool) -> Fields:
    answer: Fields = {"partition": wanted["partition"], "timestamp": -1, "offset": -1}
    try:
        log = parts.topics.partition(topic, wanted["partition"])
    except RefusedError as refused:
        return answer | {"error_code": refused.code}
    if wanted["timestamp"] == LATEST:
        return answer | {"offset": log.end_for(committed_only=committed_only)}
    if wanted["timestamp"] == EARLIEST:
        return answer | {"offset": log.start_offset}
    found = log.first_since(wanted["timestamp"])
    return answer if found is None else answer | {"offset": found[0], "timestamp": found[1]}


HANDLERS: dict[ApiKey, Handler] = {
    ApiKey.PRODUCE: produce,
    ApiKey.FETCH: fetch,
    ApiKey.LIST_OFFSETS: list_offsets,
}
