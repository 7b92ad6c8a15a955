"""The mark at the beginning of a flow's state changelog: which log it is, and for how many partitions it was begun.

Partition counts can be changed for all topics at once, and topics can be deleted and made anew, or be another
cluster's. All of that looks in order from one moment to the next, and a learner's state lies where nobody looks for
it. So the first record of partition 0 says what the log was begun as. It is written once, before any task may work,
under a key of its own, so that compaction leaves it where it is; of two workers that write it at once, both take the
first one for it.
"""

import json
import uuid
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from clients.kafka import Connection, reading
from consumers.engine.state import key_of

_MARK = "m"
_POLL_MS = 200


class Mark(NamedTuple):
    """`log` is the same only for the same log; `partitions` is None for one begun before there were marks."""

    log: str
    partitions: int | None


async def mark_of(connection: Connection, changelog: str, partitions: int) -> Mark:
    """The changelog's mark; an empty one gets it now, with `partitions`. Raises KafkaError."""
    first = await _first_record(connection, changelog)
    if first is None:
        key = key_of(_MARK, uuid.uuid4().hex)
        async with connection.producer() as producer:
            await producer.send_and_wait(changelog, json.dumps({"partitions": partitions}).encode(), key, partition=0)
        first = await _first_record(connection, changelog)
    kind, *log = (first.key or b"").decode(errors="replace").split("\x00") if first is not None else [""]
    if first is None or kind != _MARK:
        return Mark("unmarked", None)
    return Mark(log[0], json.loads(first.value)["partitions"])


async def _first_record(connection: Connection, changelog: str) -> ConsumerRecord[bytes, bytes] | None:
    """What partition 0 begins with. Read uncommitted: a dead worker's transaction further on must not hide it."""
    place = TopicPartition(changelog, 0)
    async with reading(connection, [place], isolation_level="read_uncommitted") as consumer:
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=1)).get(place, []):
                return record
    return None
