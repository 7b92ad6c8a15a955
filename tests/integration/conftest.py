"""The service's own topics, made anew for each test that uses them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import NewTopic

from clients.content_service_stub import ContentServiceStub
from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from clients.skills_engine_stub import SkillsEngineStub
from consumers.topics import TOPICS
from tests.gap_answers import gap_answer
from tests.gemini_server import GeminiServer
from tests.integration.gap_neighbours import Neighbours
from tests.kafka import KafkaUnderTest
from tests.kafka.under_test import embedded_under_test

PARTITIONS = 6


async def make_service_topics(connection: Connection, partitions: int = PARTITIONS) -> None:
    """Delete the service's topics, with what earlier tests left and committed, and create them again."""
    names = {topic.name for topic in TOPICS}
    admin, client = connection.admin(), connection.client()
    await admin.start()
    await client.bootstrap()
    try:
        await admin.delete_topics(sorted(names))
        async with asyncio.timeout(20):
            while names & (await client.fetch_all_metadata()).topics():
                await asyncio.sleep(0.05)
            while names - (await client.fetch_all_metadata()).topics():
                await admin.create_topics(
                    [NewTopic(spec.name, partitions, 1, topic_configs=dict(spec.config)) for spec in TOPICS]
                )
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
        await client.close()


@pytest.fixture
async def service(kafka: KafkaUnderTest) -> KafkaUnderTest:
    """A broker with the service's topics, empty."""
    await make_service_topics(kafka.connection)
    return kafka


@pytest.fixture
async def content() -> AsyncIterator[ContentServiceStub]:
    """A content service."""
    async with ContentServiceStub() as stub:
        yield stub


@pytest.fixture
async def embedded_service(embedded_kafka: EmbeddedKafka) -> KafkaUnderTest:
    """The service's topics on an embedded broker: for what does not depend on the broker."""
    kafka = embedded_under_test(embedded_kafka)
    await make_service_topics(kafka.connection)
    return kafka


@pytest.fixture
async def neighbours() -> AsyncIterator[Neighbours]:
    """The services around the skills-gap flow; what is held stays without an answer for long."""
    async with (
        ContentServiceStub(silent_seconds=600) as content,
        SkillsEngineStub(silent_seconds=600) as engine,
        GeminiServer(text=gap_answer) as gemini,
    ):
        yield Neighbours(content, engine, gemini)
