"""Topics: made, listed, described and deleted, by every client's admin."""

import asyncio
import time
from uuid import uuid4

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as RdConfigResource
from confluent_kafka.admin import NewTopic as RdNewTopic

from clients.kafka import Connection
from tests.kafka import TopicFactory, eventually

TOPIC_ALREADY_EXISTS = 36
INVALID_PARTITIONS = 37
INVALID_TOPIC = 17
UNKNOWN_TOPIC_OR_PARTITION = 3


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"test-{uuid4().hex[:12]}"


async def topics_seen_by_aiokafka(connection: Connection) -> set[str]:
    admin = connection.admin()
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def until_there(connection: Connection, name: str, *, wanted: bool) -> None:
    async def is_so() -> bool:
        return (name in await topics_seen_by_aiokafka(connection)) == wanted

    await eventually(is_so)


async def test_a_topic_is_created_once_listed_and_deleted(connection: Connection, name: str) -> None:
    admin = connection.admin()
    await admin.start()
    try:
        codes = [
            (await admin.create_topics([NewTopic(topic, partitions, 1)])).topic_errors[0][1]
            for topic, partitions in ((name, 3), (name, 3), ("no/such/name", 1), (f"{name}-0", 0))
        ]
        assert codes == [0, TOPIC_ALREADY_EXISTS, INVALID_TOPIC, INVALID_PARTITIONS]
        await until_there(connection, name, wanted=True)
        answers = [await admin.delete_topics([name]) for _ in range(2)]
        assert [answer.topic_error_codes[0][1] for answer in answers] == [0, UNKNOWN_TOPIC_OR_PARTITION]
        await until_there(connection, name, wanted=False)
    finally:
        await admin.close()


async def test_librdkafka_creates_lists_and_deletes(connection: Connection, name: str) -> None:
    def run() -> None:
        admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers, "log_level": 2})
        admin.create_topics([RdNewTopic(name, 2, 1)])[name].result(20)
        deadline = time.monotonic() + 20
        while len(admin.list_topics(name, timeout=20).topics[name].partitions) != 2:
            assert time.monotonic() < deadline, "the topic's partitions are not listed"
        admin.delete_topics([name])[name].result(20)

    await asyncio.to_thread(run)
    await until_there(connection, name, wanted=False)


async def test_the_largest_record_that_a_topic_takes_can_be_asked_for(
    connection: Connection, create_topic: TopicFactory
) -> None:
    limited, default = await create_topic(config={"max.message.bytes": "2000000"}), await create_topic()
    admin = connection.admin()
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in (limited, default)]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    found = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}["max.message.bytes"]
        for answer in answers
        for resource in answer.resources
    }
    assert found == {limited: "2000000", default: "1048588"}


async def test_librdkafka_sees_a_topics_configuration(connection: Connection, create_topic: TopicFactory) -> None:
    topic = await create_topic(config={"cleanup.policy": "compact"})

    def run() -> str:
        admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers, "log_level": 2})
        resource = RdConfigResource(RdConfigResource.Type.TOPIC, topic)
        return str(admin.describe_configs([resource])[resource].result(20)["cleanup.policy"].value)

    assert await asyncio.to_thread(run) == "compact"


async def test_a_topic_that_nobody_created_does_not_come_into_being(connection: Connection, name: str) -> None:
    client = connection.client()
    await client.bootstrap()
    try:
        client.add_topic(name)
        await client.force_metadata_update()
    finally:
        await client.close()
    assert name not in await topics_seen_by_aiokafka(connection)
