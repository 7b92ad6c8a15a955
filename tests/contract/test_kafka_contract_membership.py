"""What a group says of a member's place in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest

from clients.group import confirm_membership, generation, is_replaced, member_id, watch_membership
from clients.kafka import Connection
from tests.contract.test_kafka_contract_groups import QUICK
from tests.kafka import TopicFactory, eventually


@pytest.fixture
def group_id() -> str:
    """A group that no other test has."""
    return f"group-{uuid4().hex[:12]}"


class Watched:
    """A member, and what its group says of it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self.confirmed: list[float] = []
        self.refused: list[float] = []


@asynccontextmanager
async def watched(consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[Watched]:
    async with consumer:
        member = Watched(consumer)
        watch_membership(consumer, confirmed=member.confirmed.append, refused=member.refused.append)
        consumer.subscribe([topic])
        await eventually(lambda: bool(consumer.assignment()))
        yield member


async def test_a_static_member_that_was_replaced_is_told_apart_from_one_that_timed_out(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=1)
    static: dict[str, Any] = {**QUICK, "group_id": group_id, "group_instance_id": "one", "heartbeat_interval_ms": 5000}
    async with connection.consumer(topic, **static) as older:
        former_id = member_id(older)
        assert not await is_replaced(older, former_id)
        async with connection.consumer(topic, **static) as newer:
            await newer.getmany(timeout_ms=100)
            assert await is_replaced(older, former_id)
            older._coordinator._group_instance_id = "unknown to the group, as after a session timeout"
            assert not await is_replaced(older, former_id)


async def test_a_member_is_told_that_it_is_one_and_whoever_has_left_that_it_is_not(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=1)
    async with connection.consumer(topic, **QUICK, group_id=group_id) as member:
        place = member_id(member), generation(member)
        await confirm_membership(member, *place)
        await member._coordinator._maybe_leave_group()
        with pytest.raises(UnknownMemberIdError):
            await confirm_membership(member, *place)


async def test_the_end_of_a_join_confirms_a_membership(
    connection: Connection, create_topic: TopicFactory, group_id: str
) -> None:
    topic = await create_topic(partitions=1)
    seldom: dict[str, Any] = {**QUICK, "heartbeat_interval_ms": 5000}
    began = time.monotonic()
    async with watched(connection.consumer(**seldom, group_id=group_id), topic) as member:
        (asked_at,) = member.confirmed
        assert began < asked_at < time.monotonic()


async def test_a_heartbeat_confirms_a_membership_as_of_the_time_it_was_sent(
    connection: Connection, create_topic: TopicFactory, group_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer may lie in the socket of a process that is frozen."""
    topic = await create_topic(partitions=1)
    async with watched(connection.consumer(**QUICK, group_id=group_id), topic) as member:
        client, held, go = member.consumer._client, list[float](), asyncio.Event()
        send = client.send

        async def slowly(*args: Any, **kwargs: Any) -> Any:
            answer = await send(*args, **kwargs)
            if isinstance(args[1], HeartbeatRequest):
                held.append(time.monotonic())
                await go.wait()
            return answer

        monkeypatch.setattr(member.consumer._coordinator._client, "send", slowly)
        await eventually(lambda: bool(held))
        before = len(member.confirmed)
        go.set()
        await eventually(lambda: len(member.confirmed) > before)
        assert member.confirmed[before] < held[0]
        assert not member.refused


async def test_who_is_no_member_is_told_so(connection: Connection, create_topic: TopicFactory, group_id: str) -> None:
    topic = await create_topic(partitions=1)
    async with watched(connection.consumer(**QUICK, group_id=group_id), topic) as member:
        place = member_id(member.consumer), generation(member.consumer)
        await member.consumer._coordinator._maybe_leave_group()
        before = len(member.confirmed)
        with pytest.raises(UnknownMemberIdError):
            await confirm_membership(member.consumer, *place)
        assert member.refused
        assert len(member.confirmed) == before
