"""What a transaction must know of the cluster: leaders, coordinators, partition counts and size limits.

One client serves all tasks of a worker; nothing here knows what is sent.
"""

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import KafkaConnectionError, KafkaError, NoBrokersAvailable, for_code
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy

from clients.kafka import Connection
from schemas.errors import TopicMissingError, TransactionFailedError

DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
"""Kafka's own default of `max.message.bytes`, assumed for a topic whose limit could not be read."""

_NO_REPLICA = -1
_LATEST = OffsetResetStrategy.LATEST

_METADATA_ATTEMPTS = 3
_METADATA_PAUSE_SECONDS = 0.1


def may_pass(error: KafkaError) -> bool:
    """Whether the same request, made again later, may succeed; a bare KafkaError is a connection that broke."""
    return bool(error.retriable) or type(error) is KafkaError


class Cluster:
    """The brokers as one transaction sees them. An async context manager.

    Every method may raise aiokafka's KafkaError when no broker answers.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = connection.client()
        self._coordinators: dict[tuple[CoordinationType, str], int] = {}
        self._max_message_bytes: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.close()

    async def partition_count(self, topic: str) -> int:
        """How many partitions the topic has. Raises TopicMissingError, KafkaConnectionError when no broker says."""
        is_known = True
        for attempt in range(_METADATA_ATTEMPTS):
            if partitions := self._client.cluster.partitions_for_topic(topic):
                return len(partitions)
            if attempt:
                await asyncio.sleep(_METADATA_PAUSE_SECONDS)
            await self._client.add_topic(topic)
            is_known = await self.refresh()
        if partitions := self._client.cluster.partitions_for_topic(topic):
            return len(partitions)
        if not is_known:
            raise KafkaConnectionError(f"no broker says how many partitions {topic!r} has")
        raise TopicMissingError(f"topic {topic!r} does not exist: run `pathstream topics create`")

    async def learn(self, topics: Collection[str]) -> None:
        """Get to know topics before they are written to: a first record of a topic would hold its checkpoint up."""
        for topic in topics:
            self._client.add_topic(topic)  # all of them before the first answer: usually one request for all
        for topic in topics:
            with suppress(TopicMissingError):
                await self.partition_count(topic)

    async def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """How many partitions each topic has; 0 for one that does not exist."""
        cluster = await self._client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def leader(self, partition: TopicPartition) -> int:
        """The node that takes records for the partition. Raises TransactionFailedError when there is none now."""
        for attempt in range(_METADATA_ATTEMPTS):
            node = self._client.cluster.leader_for_partition(partition)
            if node is not None and node != -1:
                return int(node)
            if attempt:
                await asyncio.sleep(_METADATA_PAUSE_SECONDS)
            await self.refresh()
        raise TransactionFailedError(f"{partition.topic}-{partition.partition} has no leader")

    async def stable_end(self, partition: TopicPartition) -> int:
        """The offset before which every transaction has ended. Raises TopicMissingError."""
        await self.partition_count(partition.topic)  # whoever writes nothing there has not heard of the topic
        request = OffsetRequest(_NO_REPLICA, READ_COMMITTED, [(partition.topic, [(partition.partition, _LATEST)])])
        answer = await self.send(await self.leader(partition), request)
        ((_, ((_, code, _, offset),)),) = answer.topics
        if code:
            await self.refresh()
            raise for_code(code)(f"{partition.topic}-{partition.partition}")
        return int(offset)

    async def refresh(self) -> bool:
        """Ask anew who leads what; False when nobody answers.

        Raises TimeoutError when aiokafka's own routine does not get to it.
        """
        async with asyncio.timeout(self._connection.request_timeout_seconds):
            return bool(await self._client.force_metadata_update())

    async def coordinator(self, kind: CoordinationType, key: str) -> int:
        """The node that keeps the group or the transactional id."""
        if (node := self._coordinators.get((kind, key))) is None:
            if self._client.get_random_node() is None:
                raise NoBrokersAvailable("no broker is known")
            node = self._coordinators[kind, key] = await self._client.coordinator_lookup(kind, key)
        return node

    def forget_coordinator(self, kind: CoordinationType, key: str) -> None:
        """The node said it is not, or did not answer."""
        self._coordinators.pop((kind, key), None)

    async def send(self, node: int, request: Any, *, coordination: bool = False) -> Any:
        """One request, one response; coordinators have a connection of their own, so produce never delays them."""
        group = ConnectionGroup.COORDINATION if coordination else ConnectionGroup.DEFAULT
        try:
            return await self._client.send(node, request, group=group)
        except (OSError, TimeoutError) as exc:
            raise KafkaError(repr(exc)) from exc

    def max_message_bytes(self, topic: str) -> int:
        """The largest record batch that the topic takes."""
        return self._max_message_bytes.get(topic, DEFAULT_MAX_MESSAGE_BYTES)

    async def load_limits(self, topics: Iterable[str]) -> None:
        """Read `max.message.bytes` of the topics; where the broker does not say, Kafka's default is assumed."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        admin = self._connection.admin()
        await admin.start()
        try:
            for response in await admin.describe_configs(resources):
                for error_code, _, _, topic, entries in response.resources:
                    if error_code == 0:
                        for name, value, *_ in entries:
                            if name == "max.message.bytes":
                                self._max_message_bytes[topic] = int(value)
        finally:
            await admin.close()
