"""What we use of aiokafka beside its documented interface: an upgrade that moves it fails here, by name."""

import asyncio
import gc
import inspect
from typing import Any

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.group import Group
from clients.group import committed_positions, request_rejoin
from clients.kafka import Connection, ConsumerDiedError, check_consumer, stop_consumer
from tests.integration.lab import Lab, until
from tests.kafka import TopicFactory

COORDINATOR_LOADS = 14
NOT_COORDINATOR = 16
GROUP_AUTHORIZATION_FAILED = 30


def parameters(callable_: object) -> list[str]:
    assert callable(callable_)
    return [name for name in inspect.signature(callable_).parameters if name != "self"]


def test_the_coordinators_rejoin_and_offset_fetch_are_where_we_look_for_them() -> None:
    assert parameters(GroupCoordinator.request_rejoin) == []
    assert parameters(GroupCoordinator.ensure_coordinator_known) == []
    assert parameters(GroupCoordinator.coordinator_dead) == []
    assert parameters(GroupCoordinator._send_req) == ["request"]
    assert "self._max_poll_interval" in inspect.getsource(GroupCoordinator.ensure_active_group)
    assert parameters(OffsetFetchRequest) == ["consumer_group", "partitions"]


def test_the_client_takes_requests_as_our_transactions_send_them() -> None:
    assert parameters(AIOKafkaClient.send) == ["node_id", "request", "group"]
    assert parameters(AIOKafkaClient.coordinator_lookup) == ["coordinator_type", "coordinator_key"]
    assert {"DEFAULT", "COORDINATION"} <= set(ConnectionGroup.__members__)
    assert {"GROUP", "TRANSACTION"} <= set(CoordinationType.__members__)
    for method in ("bootstrap", "close", "add_topic", "force_metadata_update", "fetch_all_metadata"):
        assert hasattr(AIOKafkaClient, method)
    for method in ("partitions_for_topic", "leader_for_partition", "topics"):
        assert hasattr(ClusterMetadata, method)


def test_the_requests_of_a_transaction_have_the_fields_we_fill() -> None:
    assert parameters(InitProducerIdRequest) == ["transactional_id", "transaction_timeout_ms"]
    assert parameters(AddPartitionsToTxnRequest) == [
        "transactional_id",
        "producer_id",
        "producer_epoch",
        "topics",
    ]
    assert parameters(AddOffsetsToTxnRequest) == [
        "transactional_id",
        "producer_id",
        "producer_epoch",
        "group_id",
    ]
    assert parameters(TxnOffsetCommitRequest) == [
        "transactional_id", "group_id", "producer_id", "producer_epoch", "topics",
    ]  # fmt: skip
    assert parameters(EndTxnRequest)[:3] == ["transactional_id", "producer_id", "producer_epoch"]
    assert parameters(ProduceRequest) == ["transactional_id", "required_acks", "timeout", "topics"]


def test_a_batch_is_built_as_ours_are() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 1, -1, -1, 0, 1_000)
    assert builder.append(0, None, b"k", b"v", [("h", b"x")]) is not None
    builder.set_producer_state(7, 1, 0)
    assert len(builder.build()) > len(b"kv")


async def test_a_rejoin_can_be_asked_for_and_positions_come_with_their_metadata(
    connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    async with connection.consumer(topic, group_id=f"group-{topic}") as consumer:
        await consumer.getmany(timeout_ms=100)
        assert await committed_positions(consumer, consumer.assignment()) == {}
        (partition,) = consumer.assignment()
        await consumer.commit({partition: (5, "metadata")})
        found = await committed_positions(consumer, [partition])
        assert (found[partition].offset, found[partition].metadata) == (5, "metadata")
        check_consumer(consumer)
        request_rejoin(consumer)


@pytest.mark.parametrize("code", [COORDINATOR_LOADS, NOT_COORDINATOR])
async def test_a_coordinator_that_loads_or_moves_is_asked_again(
    connection: Connection, create_topic: TopicFactory, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Such an answer names no partition: taken for 'nothing is committed', everything would be handled again."""
    topic = await create_topic()
    async with connection.consumer(topic, group_id=f"group-{topic}") as consumer:
        await consumer.getmany(timeout_ms=100)
        (partition,) = consumer.assignment()
        await consumer.commit({partition: (5, "metadata")})
        send, refused = consumer._coordinator._send_req, list[Any]()

        async def send_after_a_refusal(request: Any) -> Any:
            if isinstance(request, OffsetFetchRequest) and not refused:
                refused.append(request)
                return OffsetFetchResponse_v3(0, [], code)
            return await send(request)

        monkeypatch.setattr(consumer._coordinator, "_send_req", send_after_a_refusal)
        found = await committed_positions(consumer, [partition])
        assert (len(refused), found[partition].offset) == (1, 5)


async def test_a_group_that_refuses_to_tell_its_positions_is_an_error(
    connection: Connection, create_topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await create_topic()

    async def refuse(_request: Any) -> Any:
        return OffsetFetchResponse_v3(0, [], GROUP_AUTHORIZATION_FAILED)

    async with connection.consumer(topic, group_id=f"group-{topic}") as consumer:
        await consumer.getmany(timeout_ms=100)
        monkeypatch.setattr(consumer._coordinator, "_send_req", refuse)
        with pytest.raises(GroupAuthorizationFailedError):
            await committed_positions(consumer, consumer.assignment())


async def test_a_consumer_whose_routine_has_ended_is_told_apart_and_can_be_stopped(
    connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    consumer = connection.consumer(topic, group_id=f"group-{topic}")
    await consumer.start()
    consumer._fetcher._fetch_task.cancel()
    await asyncio.wait([consumer._fetcher._fetch_task])
    with pytest.raises(ConsumerDiedError):
        check_consumer(consumer)
    await stop_consumer(consumer, seconds=10)


async def test_of_a_consumer_that_is_stopped_amid_a_join_nothing_goes_on(
    embedded_kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab.embedded(embedded_kafka)
    await lab.create()
    consumer = lab.connection.consumer(lab.topic, group_id=lab.group)
    await consumer.start()
    await until(lambda: bool(consumer.assignment()), "the consumer to fetch")
    asked = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Group, "join", never)
    request_rejoin(consumer)
    await asyncio.wait_for(asked.wait(), 10)
    await stop_consumer(consumer, seconds=0.2)
    assert [task for task in asyncio.all_tasks() if "/aiokafka/" in repr(task)] == []


async def test_a_transport_that_is_closed_already_is_a_broken_connection_also_under_uvloop(
    embedded_kafka: EmbeddedKafka,
) -> None:
    """Else aiokafka's metadata routine ends, and whoever asks for metadata waits for ever."""

    async def ask_over_a_closed_transport() -> bool:
        client = Connection(bootstrap_servers=embedded_kafka.bootstrap_servers).client()
        await client.bootstrap()
        try:
            assert await client.force_metadata_update()
            for connection in list(client._conns.values()):
                writer = connection._writer
                writer.transport.abort()
                await asyncio.sleep(0.05)
                connection._writer = writer  # as long as aiokafka's reader has not noticed
                with pytest.raises(KafkaConnectionError, match="handler is closed"):
                    connection.send(MetadataRequest([]))
            async with asyncio.timeout(10):
                while not await client.force_metadata_update():
                    await asyncio.sleep(0.01)
            return bool(client._sync_task.done())
        finally:
            await client.close()

    assert await asyncio.to_thread(lambda: uvloop.run(ask_over_a_closed_transport())) is False


@pytest.mark.parametrize("steps", range(25))
async def test_a_client_that_is_cancelled_while_it_connects_leaves_no_connection_open(
    embedded_kafka: EmbeddedKafka, steps: int
) -> None:
    """pytest makes errors of the warnings about connections that nobody closed."""
    client = Connection(bootstrap_servers=embedded_kafka.bootstrap_servers).client()
    connecting = asyncio.ensure_future(client.bootstrap())
    for _ in range(steps):
        await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait([connecting])
    await client.close()
    del client, connecting
    gc.collect()
