"""How every command runs: settings in, one exit code out, and one clear line when something is wrong.

The only place beside `engine/failure.py` that catches broadly: a person at a terminal gets a line, no trace.
"""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError, KafkaError
from pydantic import ValidationError

from clients.kafka import Connection
from consumers.connection import connection_for
from consumers.observability import silence_logging
from consumers.settings import Settings, SettingsError, load_settings
from schemas.errors import first_error

BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="Instead of KAFKA_BOOTSTRAP_SERVERS."),
]

_INTERRUPTED = 130


class CommandError(Exception):
    """The command cannot do what it was asked; the message is one line for the person who asked."""


def execute(command: Callable[[Settings], Awaitable[int]], *, bootstrap_servers: str | None = None) -> None:
    """Run a command in an event loop of its own and leave the process with its exit code."""
    raise typer.Exit(_exit_code(command, bootstrap_servers))


def execute_tool(command: Callable[[Connection], Awaitable[int]], *, bootstrap_servers: str | None = None) -> None:
    """Run a command that only needs Kafka, without any log lines."""

    async def with_connection(settings: Settings) -> int:
        silence_logging()
        return await command(connection_for(settings))

    execute(with_connection, bootstrap_servers=bootstrap_servers)


@asynccontextmanager
async def opened_client(connection: Connection) -> AsyncIterator[AIOKafkaClient]:
    """A bare client, bootstrapped."""
    client = connection.client()
    try:
        await client.bootstrap()
        yield client
    finally:
        await client.close()


async def cluster_metadata(connection: Connection) -> ClusterMetadata:
    """The cluster's topics and partitions as they are now."""
    async with opened_client(connection) as client:
        return await client.fetch_all_metadata()


async def partitions_of(connection: Connection, topic: str) -> list[int]:
    """The topic's partitions; raises CommandError when there is no such topic."""
    if partitions := (await cluster_metadata(connection)).partitions_for_topic(topic):
        return sorted(partitions)
    raise CommandError(f"topic {topic!r} does not exist; `pathstream topics create` makes those of the service")


def _exit_code(command: Callable[[Settings], Awaitable[int]], bootstrap_servers: str | None) -> int:
    settings: Settings | None = None
    try:
        settings = load_settings()
        if bootstrap_servers:
            settings = settings.model_copy(update={"kafka_bootstrap_servers": bootstrap_servers})
        return _run(command(settings))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has gone
        return 0
    except Exception as exc:  # noqa: BLE001 - a person gets one line
        error = first_error(exc)
        if settings and settings.log_level == "DEBUG":
            traceback.print_exception(error)
        print(f"pathstream: {_line(error, settings)}", file=sys.stderr)  # noqa: T201
        return 1


def _run(coroutine: Awaitable[int]) -> int:
    async def main() -> int:
        return await coroutine

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _line(error: BaseException, settings: Settings | None) -> str:
    """What went wrong, in one line; a message of several lines keeps its first."""
    where = settings.kafka_bootstrap_servers if settings else ""
    message: Any = error
    match error:
        case SettingsError() | CommandError():
            pass
        case KafkaConnectionError():
            message = f"no Kafka at {where} (KAFKA_BOOTSTRAP_SERVERS)"
        case KafkaError():
            message = f"Kafka at {where}: {error}"
        case ValidationError():
            message = f"{error.error_count()} values do not fit {error.title}"
        case OSError():
            message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        case _:
            message = f"unexpected {type(error).__name__}: {error} (LOG_LEVEL=DEBUG shows the trace)"
    return str(message).splitlines()[0] if str(message) else type(error).__name__
