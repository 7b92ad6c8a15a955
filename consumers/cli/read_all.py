"""Reading topics without a group: from a position to the end, or on and on."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from clients.kafka import Connection, reading
from consumers.cli.shell import CommandError, partitions_of

_POLL_MS = 500
_SILENCE_POLLS = 60
"""So many empty polls in a row before the end, half a minute, mean that the broker does not deliver."""


@asynccontextmanager
async def reader(
    connection: Connection, topics: Sequence[str], *, group_id: str | None = None
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that has all partitions of the topics assigned, outside of any group's membership."""
    partitions = [
        TopicPartition(topic, number) for topic in topics for number in await partitions_of(connection, topic)
    ]
    async with reading(connection, partitions, group_id=group_id) as consumer:
        yield consumer


async def forever(consumer: AIOKafkaConsumer) -> AsyncIterator[ConsumerRecord]:
    """Records as they come."""
    while True:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                yield record


async def to_the_end(consumer: AIOKafkaConsumer) -> AsyncIterator[ConsumerRecord]:
    """The records from each partition's position to what is its end now; raises CommandError on silence."""
    ends = await consumer.end_offsets(consumer.assignment())
    open_partitions = {tp for tp, end in ends.items() if await consumer.position(tp) < end}
    silent = 0
    while open_partitions:
        batches = await consumer.getmany(*open_partitions, timeout_ms=_POLL_MS)
        silent = 0 if batches else silent + 1
        if silent > _SILENCE_POLLS:
            raise CommandError("the broker stopped delivering before the end of the topic")
        for tp, records in batches.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
        open_partitions = {tp for tp in open_partitions if await consumer.position(tp) < ends[tp]}
