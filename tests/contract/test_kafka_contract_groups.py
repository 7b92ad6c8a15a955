"""Consumer groups: who has which partition, and what a group has committed."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, OffsetMetadataTooLargeError
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Consumer

from clients.group import committed_positions
from clients.kafka import Connection
from tests.kafka import TopicFactory, eventually

QUICK = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 100, "rebalance_timeout_ms": 6000}


@pytest.fixture
def group_id() -> str:
    """A group that no other test has."""
    return f"group-{uuid4().hex[:12]}"


def numbers(consumer: AIOKafkaConsumer) -> set[int]:
    return {partition.partition for partition in consumer.assignment()}


@asynccontextmanager
async def librdkafka_member(connection: Connection, group_id: str, topic: str) -> AsyncIterator[set[int]]:
    """A member that polls in a thread of its own until the end; gives the partitions it has."""
    config = {"bootstrap.servers": connection.bootstrap_servers, "group.id": group_id, "log_level": 2}
    consumer = Consumer(config | {"heartbeat.interval.ms": 100, "partition.assignment.strategy": "range"})
    consumer.subscribe([topic])
    ended = threading.Event()
    partitions: set[int] = set()

    def poll_until_the_end() -> None:
        while not ended.is_set():
            consumer.poll(0.05)
            assigned = {partition.partition for partition in consumer.assignment()}
            partitions.symmetric_difference_update(partitions ^ assigned)

    polling = threading.Thread(target=poll_until_the_end)
    polling.start()
    try:
        yield partitions
    finally:
        ended.set()
        await asyncio.to_thread(polling.join)
        await asyncio.to_thread(consumer.close)


async def test_two_members_share_the_partitions_and_one_inherits_when_the_other_leaves(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=4)
    async with connection.consumer(topic, group_id=group_id, **QUICK) as stays:
        await eventually(lambda: numbers(stays) == {0, 1, 2, 3})
        async with connection.consumer(topic, group_id=group_id, **QUICK) as leaves:
            await eventually(lambda: len(numbers(stays)) == len(numbers(leaves)) == 2)
            assert numbers(stays) | numbers(leaves) == {0, 1, 2, 3}
        await eventually(lambda: numbers(stays) == {0, 1, 2, 3})


async def test_members_of_different_clients_share_a_group(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=4)
    async with connection.consumer(topic, group_id=group_id, **QUICK) as ours:
        async with librdkafka_member(connection, group_id, topic) as the_others:
            await eventually(lambda: len(numbers(ours)) == len(the_others) == 2)
            assert numbers(ours) | the_others == {0, 1, 2, 3}
        await eventually(lambda: numbers(ours) == {0, 1, 2, 3})


async def test_many_members_joining_at_once_end_up_with_one_partition_each(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=6)
    async with AsyncExitStack() as stack:
        members = [connection.consumer(topic, group_id=group_id, **QUICK) for _ in range(6)]
        await asyncio.gather(*(stack.enter_async_context(member) for member in members))
        await eventually(lambda: all(len(numbers(member)) == 1 for member in members))
        assert set.union(*(numbers(member) for member in members)) == {0, 1, 2, 3, 4, 5}


async def test_a_static_member_that_comes_back_in_time_disturbs_nobody(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=4)
    async with connection.consumer(topic, group_id=group_id, group_instance_id="stays", **QUICK) as stays:
        async with connection.consumer(topic, group_id=group_id, group_instance_id="restarts", **QUICK) as before:
            await eventually(lambda: len(numbers(stays)) == len(numbers(before)) == 2)
            kept, moved = numbers(stays), numbers(before)
            generation = stays._coordinator.generation
        async with connection.consumer(topic, group_id=group_id, group_instance_id="restarts", **QUICK) as after:
            await eventually(lambda: numbers(after) == moved)
            assert numbers(stays) == kept
            assert stays._coordinator.generation == generation


async def test_a_static_member_that_stays_away_loses_its_partitions_when_its_session_ends(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=4)
    short = QUICK | {"session_timeout_ms": 1000}
    async with connection.consumer(topic, group_id=group_id, group_instance_id="stays", **QUICK) as stays:
        async with connection.consumer(topic, group_id=group_id, group_instance_id="goes", **short) as goes:
            await eventually(lambda: len(numbers(stays)) == len(numbers(goes)) == 2)
        await eventually(lambda: numbers(stays) == {0, 1, 2, 3})


async def test_committed_offsets_keep_their_metadata_up_to_4096_characters(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=2)
    first, never_committed = TopicPartition(topic, 0), TopicPartition(topic, 1)
    async with connection.consumer(group_id=group_id) as consumer:
        consumer.assign([first, never_committed])
        await consumer.commit({first: OffsetAndMetadata(7, "p" * 4096)})
        with pytest.raises(OffsetMetadataTooLargeError):
            await consumer.commit({first: OffsetAndMetadata(8, "p" * 4097)})
        positions = await committed_positions(consumer, [first, never_committed])
        assert positions == {first: OffsetAndMetadata(7, "p" * 4096)}


async def test_a_new_member_goes_on_where_the_group_committed(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic()
    async with connection.producer() as producer:
        for number in range(4):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)
    async with connection.consumer(topic, group_id=group_id, **QUICK) as consumer:
        assert [(await consumer.getone()).value for _ in range(2)] == [b"0", b"1"]
        await consumer.commit()
    async with connection.consumer(topic, group_id=group_id, **QUICK) as consumer:
        assert (await consumer.getone()).value == b"2"


async def test_somebody_outside_cannot_commit_for_a_group_that_has_members(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    """What keeps a worker that was thrown out of its group from moving the group's offsets."""
    topic = await create_topic()
    partition = TopicPartition(topic, 0)
    async with (
        connection.consumer(topic, group_id=group_id, **QUICK) as member,
        connection.consumer(group_id=group_id) as outsider,
    ):
        await eventually(lambda: numbers(member) == {0})
        outsider.assign([partition])
        with pytest.raises(CommitFailedError):
            await outsider.commit({partition: 99})
        assert await member.committed(partition) is None
