"""`pathstream` as a real process, and the records it is about: for the tests of the command line."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from clients.kafka import Connection

REPOSITORY = Path(__file__).parents[2]
NOBODY_LISTENS = "127.0.0.1:1"


class Result(NamedTuple):
    """What a finished command left."""

    code: int
    out: str
    err: str


@contextlib.asynccontextmanager
async def started(
    bootstrap_servers: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`pathstream ...` while it runs; killed when it did not end by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "consumers",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            **(environment or {}),
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def pathstream(
    bootstrap_servers: str, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> Result:
    """Run `pathstream ...` to its end."""
    async with started(bootstrap_servers, *arguments, environment=environment) as process:
        out, err = await asyncio.wait_for(process.communicate(stdin), 40)
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Result(process.returncode, out.decode(), err.decode())


async def records_in(connection: Connection, topic: str, count: int) -> list[ConsumerRecord]:
    """The first records of a topic."""
    consumer = connection.consumer(topic)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def send(connection: Connection, topic: str, *records: dict[str, Any]) -> None:
    """Put records into a topic."""
    producer = connection.producer()
    await producer.start()
    for record in records:
        await producer.send_and_wait(topic, **record)
    await producer.stop()
