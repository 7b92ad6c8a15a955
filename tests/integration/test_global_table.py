"""A global table: read whole before it is used, followed from then on, by every worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import NewTopic
from structlog.testing import capture_logs

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from consumers.engine.global_table import GlobalTable
from schemas.errors import InvalidEventError
from tests.integration.lab import Lab, until
from tests.kafka import TopicFactory


@pytest.fixture
def lab(connection: Connection) -> Lab:
    return Lab(connection)


def decode(_key: bytes, value: bytes) -> str:
    if value == b"bad":
        raise InvalidEventError("bad")
    return value.decode()


async def write(connection: Connection, topic: str, rows: list[tuple[str, bytes | None]]) -> None:
    async with connection.producer() as producer:
        for key, value in rows:
            await producer.send_and_wait(topic, value, key=key.encode())


@asynccontextmanager
async def following(connection: Connection, topic: str) -> AsyncIterator[GlobalTable[str]]:
    stop = asyncio.Event()
    async with Cluster(connection) as cluster, asyncio.TaskGroup() as group:
        table = GlobalTable(topic, decode, connection, cluster)
        group.create_task(table.run(stop))
        try:
            yield table
        finally:
            stop.set()


async def test_a_table_has_the_newest_row_of_each_key_and_follows_what_comes(
    connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic(partitions=3)
    await write(connection, topic, [(f"company-{n}", b"auto") for n in range(50)])
    await write(connection, topic, [("company-1", b"manual"), ("company-2", None), ("company-3", b"bad")])
    async with following(connection, topic) as table:
        await until(lambda: table.reason is None, "the table to be whole")
        found = [table.get(f"company-{n}") for n in range(5)]
        assert (found, len(table)) == (["auto", "manual", None, "auto", "auto"], 49)
        await write(connection, topic, [("company-2", b"back"), ("company-1", None)])
        await until(lambda: (table.get("company-2"), table.get("company-1")) == ("back", None), "the changes")


async def test_reading_a_table_at_the_start_is_no_error(lab: Lab, create_topic: TopicFactory) -> None:
    """Or every start of a worker would wake somebody."""
    topic = await create_topic(partitions=2)
    await write(lab.connection, topic, [("company-1", b"auto")])
    await lab.create()
    await lab.send(5)
    with capture_logs() as logs:
        async with following(lab.connection, topic) as table:
            lab.needs = (table,)
            async with lab.engine():
                await lab.outputs_complete()
    waits = [line for line in logs if line["event"] == "engine.waits"]
    assert "not read yet" in waits[0]["problem"]
    assert not [line for line in logs if line["log_level"] == "error"]


async def test_a_flow_that_needs_a_table_waits_until_the_table_is_whole(lab: Lab) -> None:
    """The table's topic comes late; until then the worker says what is missing, and handles nothing."""
    await lab.create()
    await lab.send(5)
    topic = f"{lab.name}-companies"
    async with following(lab.connection, topic) as table:
        lab.needs = (table,)
        async with lab.engine() as engine:
            await until(lambda: "topics create" in str(engine.reasons()), "the remedy on /readyz")
            assert not lab.handled
            admin = lab.connection.admin()
            await admin.start()
            await admin.create_topics([NewTopic(topic, 2, 1)])
            await admin.close()
            await lab.outputs_complete()
            assert engine.reasons() == []


async def test_a_table_that_is_read_anew_never_shows_what_was_replaced_and_forgets_what_is_gone(
    embedded_kafka: EmbeddedKafka,
) -> None:
    """The topic is made anew, shorter: the offset of the reader is gone, so it begins again."""
    connection = Connection(bootstrap_servers=embedded_kafka.bootstrap_servers)
    embedded_kafka.create_topic("companies", partitions=1)
    await write(connection, "companies", [*((f"company-{n}", b"auto") for n in range(50)), ("c", b"manual")])
    seen = set()
    async with following(connection, "companies") as table:
        await until(lambda: table.reason is None, "the table to be whole")
        admin = connection.admin()
        await admin.start()
        await admin.delete_topics(["companies"])
        await admin.close()
        embedded_kafka.create_topic("companies", partitions=1)
        await write(connection, "companies", [("c", b"auto"), ("c", b"manual again")])

        def is_read_anew() -> bool:
            seen.add((table.get("c"), table.reason))
            return table.get("c") == "manual again"

        await until(is_read_anew, "the table to be read anew")
        assert len(table) == 1
    assert seen == {("manual", None), ("manual again", None)}
