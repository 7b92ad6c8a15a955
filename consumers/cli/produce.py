"""`pathstream produce`: events from a file or standard input into a topic."""

import asyncio
import os
import sys
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from clients.kafka import Connection
from consumers.cli.byte_lines import lines_of
from consumers.cli.output import console, errors
from consumers.cli.produce_input import Broken, EventReader, InputEvent
from consumers.cli.shell import BootstrapOption, execute_tool, partitions_of

app = typer.Typer()

_UNCONFIRMED = 1_000
_LARGEST_REQUEST = 64 * 2**20  # the topic's own limit decides


@app.command()
def produce(
    topic: Annotated[str, typer.Argument(help="An input topic, such as learning_goal.")],
    file: Annotated[str, typer.Argument(help="A file, or - for standard input.")] = "-",
    bootstrap_servers: BootstrapOption = None,
) -> None:
    """Send JSON objects, one per line or over many lines; the record's key is taken from the payload.

    A broken line is named and the others are sent; the exit code tells.
    """

    async def run(connection: Connection) -> int:
        await partitions_of(connection, topic)
        descriptor = sys.stdin.fileno() if file == "-" else os.open(file, os.O_RDONLY)
        return await _produce(connection, topic, descriptor)

    execute_tool(run, bootstrap_servers=bootstrap_servers)


class _Sender:
    """Sends events and remembers what became of each."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._unconfirmed: list[tuple[int, asyncio.Future[object]]] = []
        self.sent = 0
        self.failed = 0
        self.without_key = 0

    async def take(self, found: InputEvent | Broken) -> None:
        """Send an event, or name what is broken."""
        if isinstance(found, Broken):
            self.failed += 1
            lines = str(found.first_line)
            if found.last_line > found.first_line:
                lines += f"-{found.last_line}"
            errors.print(f"line {lines}: {found.reason}")
            return
        try:
            future = await self._producer.send(self._topic, key=found.key, value=found.value)
        except KafkaError as exc:
            self._fail(found.line, exc)
            return
        self.without_key += found.key is None
        self._unconfirmed.append((found.line, future))
        if len(self._unconfirmed) >= _UNCONFIRMED:
            await self.confirm()

    async def confirm(self) -> None:
        """Wait until everything sent so far is written, or known not to be."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        for line, future in unconfirmed:
            try:
                await future
            except KafkaError as exc:
                self._fail(line, exc)
            else:
                self.sent += 1

    def _fail(self, line: int, error: KafkaError) -> None:
        self.failed += 1
        errors.print(f"line {line}: not written: {error}")


async def _produce(connection: Connection, topic: str, descriptor: int) -> int:
    producer = connection.producer(max_request_size=_LARGEST_REQUEST, enable_idempotence=True, linger_ms=5)
    await producer.start()
    sender = _Sender(producer, topic)
    reader = EventReader(topic)
    try:
        async for line in lines_of(descriptor):
            for found in reader.feed(line):
                await sender.take(found)
        for found in reader.close():
            await sender.take(found)
    finally:
        await sender.confirm()
        await producer.stop()
        unkeyed = f", {sender.without_key} without a key" if sender.without_key else ""
        broken = f", {sender.failed} not sent" if sender.failed else ""
        console.print(f"{sender.sent} sent to {topic}{unkeyed}{broken}")
    if not sender.sent and not sender.failed:
        errors.print("the input is empty")
        return os.EX_DATAERR
    return os.EX_DATAERR if sender.failed else os.EX_OK
