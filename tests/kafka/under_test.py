"""What a test sees of the broker it runs on, the same for the embedded one and a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import uuid4

import pytest
from aiokafka.admin import NewTopic

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from tests.kafka.choice import RealKafka
from tests.kafka.container import ContainerKafka
from tests.kafka.local import LocalKafka


class TopicFactory(Protocol):
    """Creates a topic under a name no other test has, and returns the name once it is there."""

    async def __call__(
        self, name: str | None = None, *, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Create it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaUnderTest:
    """One broker, made ready for one test."""

    kind: Literal["embedded", "real"]
    bootstrap_servers: str
    outage: Callable[[], AbstractAsyncContextManager[None]]
    """Inside `async with kafka.outage():` nobody reaches the broker; afterwards it is back with its data."""

    @property
    def connection(self) -> Connection:
        """The service's own way to connect."""
        return Connection(bootstrap_servers=self.bootstrap_servers)

    async def create_topic(
        self, name: str | None = None, *, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> str:
        """Create a topic under a name no other test has, and return the name once it is there."""
        topic = name or f"test-{uuid4().hex[:12]}"
        admin = self.connection.admin()
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(config or {}))])
            for _topic, code, message in answer.topic_errors:
                if code:
                    raise RuntimeError(f"topic {topic} was not created: {code} {message}")
            await self._wait_for_leaders(topic, partitions)
        finally:
            await admin.close()
        return topic

    async def _wait_for_leaders(self, topic: str, partitions: int) -> None:
        client = self.connection.client()
        async with asyncio.timeout(20):
            await client.bootstrap()
            try:
                while len(client.cluster.available_partitions_for_topic(topic) or ()) < partitions:
                    client.add_topic(topic)
                    await client.force_metadata_update()
                    await asyncio.sleep(0.01)
            finally:
                await client.close()


def embedded_under_test(kafka: EmbeddedKafka) -> KafkaUnderTest:
    """The embedded broker; an outage takes it off the network."""

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        await kafka.pause()
        try:
            yield
        finally:
            await kafka.resume()

    return KafkaUnderTest(kind="embedded", bootstrap_servers=kafka.bootstrap_servers, outage=outage)


def real_under_test(kafka: RealKafka) -> KafkaUnderTest:
    """A real broker; an outage is kill -9 and a restart on the same data."""

    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        if not isinstance(kafka, LocalKafka | ContainerKafka):
            pytest.skip(f"{kafka.name} is not ours to stop")
        await asyncio.to_thread(kafka.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(kafka.restart)

    return KafkaUnderTest(kind="real", bootstrap_servers=kafka.bootstrap_servers, outage=outage)
