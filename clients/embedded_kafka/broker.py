"""The embedded broker: its parts put together, its life, and its sense of time."""

import asyncio
import ipaddress
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import structlog

from clients.embedded_kafka import group_requests, record_requests, topic_requests, transaction_requests
from clients.embedded_kafka.groups import Groups
from clients.embedded_kafka.offsets import CommittedOffsets
from clients.embedded_kafka.parts import Parts, now
from clients.embedded_kafka.server import Server
from clients.embedded_kafka.topics import Topics
from clients.embedded_kafka.transactions import Transactions
from clients.embedded_kafka.wire import UnknownVersion, decode_request, encode_response, encode_versions

MAX_PARTITION_BYTES = 64 * 2**20
TICK_SECONDS = 0.1

HANDLERS = record_requests.HANDLERS | group_requests.HANDLERS | transaction_requests.HANDLERS | topic_requests.HANDLERS

log = structlog.get_logger(__name__)


class EmbeddedKafka:
    """A broker of one node for the demo and for tests: everything is in memory and gone when it is closed.

    An async context manager. It listens on a loopback address only (raises ValueError for another), on a free
    port for 0, and holds at most `max_partition_bytes` of records per partition.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        default_partitions: int = 4,
        auto_create_topics: bool = True,
        max_partition_bytes: int = MAX_PARTITION_BYTES,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the embedded Kafka is for this machine only, not for {host}")
        topics = Topics(
            default_partitions=default_partitions,
            auto_create=auto_create_topics,
            max_partition_bytes=max_partition_bytes,
        )
        offsets = CommittedOffsets()
        self._parts = Parts(
            host=host,
            port=port,
            topics=topics,
            groups=Groups(),
            offsets=offsets,
            transactions=Transactions(topics=topics, offsets=offsets),
        )
        self._tasks = asyncio.TaskGroup()
        self._server = Server(host=host, port=port, answer=self._answer, tasks=self._tasks)
        self._clock: asyncio.Task[None] | None = None
        self._is_paused = False

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"{self._parts.host}:{self._parts.port}"

    def create_topic(
        self, name: str, *, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic; raises RefusedError when it exists or cannot be."""
        self._parts.topics.create(name, partitions=partitions, config=config)

    async def pause(self) -> None:
        """Go off the network: no listener, no connections. Records, groups and transactions stay."""
        self._is_paused = True
        await self._server.close()

    async def resume(self) -> None:
        """Come back on the same port."""
        self._parts.groups.touch(now())
        await self._server.open()
        self._is_paused = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        await self._server.open()
        self._parts.port = self._server.port
        self._clock = self._tasks.create_task(self._let_time_pass())
        log.warning(
            "embedded_kafka_started",
            bootstrap_servers=self.bootstrap_servers,
            note="in memory, for the demo and tests only: nothing is kept",
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()
        if self._clock is not None:
            self._clock.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def _answer(self, frame: bytes, client_host: str) -> bytes | None:
        request = decode_request(frame, client_host)
        if isinstance(request, UnknownVersion):
            return encode_versions(request)
        fields = await HANDLERS[request.api_key](self._parts, request)
        return None if fields is None else encode_response(request, fields)

    async def _let_time_pass(self) -> None:
        """Expire silent members and transactions that stay open, except while nobody can reach us."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self._is_paused:
                self._parts.groups.expire(now())
                self._parts.transactions.expire(now())
