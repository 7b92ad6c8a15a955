"""The connection to Kafka; with `clients/group.py`, every touch of aiokafka that is not its public interface.

`tests/contract/test_aiokafka_internals.py` fails when a release of aiokafka moves what is used here.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context

NEVER_MS = 2**31 - 1

_STOP_SECONDS = 5.0
_LAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where Kafka is and how to get in; makes clients that are opened and closed by their user."""

    bootstrap_servers: str
    client_id: str = "ai-service"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    request_timeout_seconds: float = 15.0

    def client(self) -> AIOKafkaClient:
        """A bare client: requests in, responses out."""
        return AIOKafkaClient(**self._common())

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """A producer that waits for all replicas; for tools and tests, the engine has its own transactions."""
        return AIOKafkaProducer(**self._common(), acks="all", **options)

    def consumer(self, *topics: str, group_id: str | None = None, **options: Any) -> AIOKafkaConsumer:
        """A consumer that reads committed records only and never commits by itself."""
        defaults: dict[str, Any] = {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "max_poll_interval_ms": NEVER_MS,  # heartbeats say whether we live
            "partition_assignment_strategy": (RangePartitionAssignor,),
        }
        return AIOKafkaConsumer(*topics, group_id=group_id, **self._common(), **(defaults | options))

    def admin(self) -> AIOKafkaAdminClient:
        """An admin client."""
        return AIOKafkaAdminClient(**self._common())

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_context": self._ssl_context(),
            "request_timeout_ms": int(self.request_timeout_seconds * 1000),
        }

    def _ssl_context(self) -> ssl.SSLContext | None:
        if "SSL" not in self.security_protocol.split("_"):
            return None
        context: ssl.SSLContext = create_ssl_context(
            cafile=self.ssl_cafile and str(self.ssl_cafile),
            certfile=self.ssl_certfile and str(self.ssl_certfile),
            keyfile=self.ssl_keyfile and str(self.ssl_keyfile),
        )
        return context


_send_as_it_is = AIOKafkaConnection.send


def _send(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002
    """Send, and take a connection that is closed already for a broken one.

    asyncio drops what is written to a closed transport, uvloop raises RuntimeError. aiokafka expects neither: the
    RuntimeError ends its background routines, and without the one that keeps the metadata every later request for
    metadata waits for ever.
    """
    try:
        answer = _send_as_it_is(connection, request, expect_response)
    except RuntimeError as exc:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"connection closed: {exc}") from exc
    return _answer_or_closed(connection, answer) if connection._on_close_cb is None else answer  # noqa: SLF001


async def _answer_or_closed(connection: AIOKafkaConnection, answer: Awaitable[Any]) -> Any:
    """The answer to a client's first request, on a connection that the client itself does not know.

    Of all connections it alone has nobody to tell that it is closed (`_on_close_cb`). It is lost, and stays open, when
    the client is cancelled meanwhile, as when a task is taken away amid a restore.
    """
    try:
        return await answer
    except asyncio.CancelledError:
        connection.close()
        raise


AIOKafkaConnection.send = _send


class ConsumerDiedError(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """A background routine of the consumer has ended: it will never join or fetch again."""


def check_consumer(consumer: AIOKafkaConsumer) -> None:
    """Take what the consumer's background routines have to say; until somebody does, they wait.

    Raises ConsumerDiedError when one of them has ended, else the KafkaError it waits with.
    """
    coordinator, fetcher = consumer._coordinator, consumer._fetcher  # noqa: SLF001
    if coordinator._coordination_task.done() or fetcher._fetch_task.done():  # noqa: SLF001
        raise ConsumerDiedError("the consumer's background routine has ended")
    beats = coordinator._heartbeat_task  # noqa: SLF001
    if beats is not None and beats.done() and not beats.cancelled() and (error := beats.exception()) is not None:
        raise ConsumerDiedError(f"the consumer's heartbeats have ended: {error!r}") from error
    coordinator.check_errors()


def obey_cancellation() -> None:
    """Raise the cancellation that a call has swallowed: aiokafka's `stop` does while it waits for tasks of its own."""
    me = asyncio.current_task()
    if me is not None and me.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def reading(
    connection: Connection, partitions: Iterable[TopicPartition], **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of these partitions alone, as a member of no group; closed at the end, whatever its state.

    `options` are those of `Connection.consumer`.
    """
    consumer = connection.consumer(**options)
    consumer.assign(list(partitions))
    try:
        await consumer.start()
        yield consumer
    finally:
        await stop_consumer(consumer)


async def stop_consumer(consumer: AIOKafkaConsumer, *, seconds: float = _STOP_SECONDS) -> None:
    """Leave the group and close, whatever state the consumer is in; takes at most `seconds`, and one more.

    aiokafka's `stop` can end with a CancelledError of one of its own tasks, with its connections still open. Cut off
    while the group does not answer, it has not come to its routines: they would go on, fetching for nobody.
    """
    try:
        async with asyncio.timeout(seconds):
            await consumer.stop()
    except (KafkaError, TimeoutError, asyncio.CancelledError):
        routines = _routines(consumer)
        for routine in routines:
            routine.cancel()
        obey_cancellation()
        if routines:
            await asyncio.wait(routines, timeout=_LAST_SECONDS)
    await consumer._client.close()  # noqa: SLF001


def _routines(consumer: AIOKafkaConsumer) -> list[asyncio.Task[Any]]:
    """What goes on in the background of a consumer; one that has not started, or is in no group, has less of it."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher  # noqa: SLF001
    tasks: list[asyncio.Task[Any] | None] = []
    if coordinator is not None:
        names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
        tasks += [getattr(coordinator, name, None) for name in names]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]  # noqa: SLF001
    return [task for task in tasks if task is not None and not task.done()]
