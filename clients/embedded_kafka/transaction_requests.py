"""What idempotent and transactional producers ask for."""

from clients.embedded_kafka.codes import ApiKey, Code, RefusedError
from clients.embedded_kafka.group_requests import accept_offsets
from clients.embedded_kafka.parts import Handler, Parts, now
from clients.embedded_kafka.transactions import Producer
from clients.embedded_kafka.wire import Fields, Request


async def init_producer_id(parts: Parts, request: Request) -> Fields:
    """Give a producer its id; the holder of a transactional id before it is fenced."""
    transactional_id = request.fields["transactional_id"]
    if transactional_id is None:
        return {"producer_id": parts.transactions.new_producer_id(), "producer_epoch": 0}
    timeout = request.fields["transaction_timeout_ms"] / 1000
    producer = parts.transactions.take_over(transactional_id, timeout=timeout)
    return {"producer_id": producer.producer_id, "producer_epoch": producer.epoch}


async def add_partitions(parts: Parts, request: Request) -> Fields:
    """Announce the partitions of a transaction: all of them, or none when one does not exist."""
    topics = request.fields["topics"]
    partitions = [(topic["topic"], number) for topic in topics for number in topic["partitions"]]
    missing = {partition for partition in partitions if not _exists(parts, *partition)}
    code = Code.OPERATION_NOT_ATTEMPTED if missing else Code.NONE
    try:
        producer = _owner(parts, request)
        if not missing:
            for partition in partitions:
                parts.transactions.add_partition(producer, partition, now=now())
    except RefusedError as refused:
        missing, code = set(), refused.code
    return {
        "errors": [
            {
                "topic": topic["topic"],
                "partition_errors": [
                    {
                        "partition": number,
                        "error_code": Code.UNKNOWN_TOPIC_OR_PARTITION if (topic["topic"], number) in missing else code,
                    }
                    for number in topic["partitions"]
                ],
            }
            for topic in topics
        ]
    }


async def add_offsets(parts: Parts, request: Request) -> Fields:
    """Announce the group whose offsets a transaction commits."""
    try:
        parts.transactions.add_group(_owner(parts, request), request.fields["group_id"], now=now())
    except RefusedError as refused:
        return {"error_code": refused.code}
    return {}


async def commit_offsets(parts: Parts, request: Request) -> Fields:
    """Note offsets that count when the transaction is committed."""
    accepted, verdicts = accept_offsets(parts, request.fields["topics"], Code.NONE)
    try:
        producer = _owner(parts, request)
        parts.transactions.add_offsets(producer, request.fields["group_id"], accepted)
    except RefusedError as refused:
        _, verdicts = accept_offsets(parts, request.fields["topics"], refused.code)
    return {"errors": verdicts}


async def end_transaction(parts: Parts, request: Request) -> Fields:
    """Commit or abort."""
    try:
        parts.transactions.end(_owner(parts, request), committed=request.fields["transaction_result"])
    except RefusedError as refused:
        return {"error_code": refused.code}
    return {}


def _owner(parts: Parts, request: Request) -> Producer:
    fields = request.fields
    return parts.transactions.owner(
        fields["transactional_id"], producer_id=fields["producer_id"], epoch=fields["producer_epoch"]
    )


def _exists(parts: Parts, topic: str, number: int) -> bool:
    try:
        parts.topics.partition(topic, number)
    except RefusedError:
        return False
    return True


HANDLERS: dict[ApiKey, Handler] = {
    ApiKey.INIT_PRODUCER_ID: init_producer_id,
    ApiKey.ADD_PARTITIONS_TO_TXN: add_partitions,
    ApiKey.ADD_OFFSETS_TO_TXN: add_offsets,
    ApiKey.TXN_OFFSET_COMMIT: commit_offsets,
    ApiKey.END_TXN: end_transaction,
}
