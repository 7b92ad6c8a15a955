"""The worker: opens every resource, starts one engine per flow, closes all of it in good order."""

import asyncio
import signal
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, disable_created_metrics

from clients.clock import SystemClock
from clients.cluster import Cluster
from clients.content_service import ContentService
from clients.http import open_http_client
from clients.rocks import Memory
from clients.skills_engine import SkillsEngine
from consumers.connection import connection_for
from consumers.engine.loop import Engine
from consumers.engine.stores import Stores
from consumers.flows import BUILDERS, Parts
from consumers.models import build_model
from consumers.observability import BrokerOutage, HealthServer, Metrics, configure_logging
from consumers.runtime import collect_garbage_less_often
from consumers.settings import Settings, SettingsError
from schemas.errors import InstanceTakenError, StoreError

_log = structlog.get_logger("pathstream.app")

_READS_PER_EVENT = 2
"""Resources and mastery are read at once."""
_CALLS_PER_EVENT = 16
"""Batches of an exam are graded at once."""


class Worker:
    """All flows of one process. An async context manager: events are handled inside it, committed at its end.

    Entering raises SettingsError for a setting that cannot be used, an address where no Kafka answers included.
    """

    def __init__(self, settings: Settings, outage: BrokerOutage | None = None) -> None:
        self._settings = settings
        self._outage = outage
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self.problem: SettingsError | None = None
        self._engines: list[Engine] = []
        self._running: list[asyncio.Task[None]] = []
        self._content: ContentService | None = None
        self._skills_engine: SkillsEngine | None = None
        self._health: HealthServer | None = None

    @property
    def http_port(self) -> int:
        """Where `/livez`, `/readyz` and `/metrics` are."""
        if self._health is None:
            raise RuntimeError("the worker has not started")
        return self._health.port

    async def serve(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set, or until the worker cannot go on: `problem` says why then."""
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def reasons(self) -> list[str]:
        """Why the worker is not ready; empty when it is."""
        reasons = [reason for engine in self._engines for reason in engine.reasons()]
        if len(self._engines) < len(BUILDERS):
            reasons.append("starting")
        if self._stopping.is_set():
            reasons.append("stopping")
        if self._outage is not None and self._outage.away_seconds is not None:
            reasons.insert(0, f"Kafka has not answered for {self._outage.away_seconds:.0f} s")
        if self._content is not None and self._content.denied:
            reasons.append("the content service denies CONTENT_SERVICE_SECRET")
        if self._skills_engine is not None and self._skills_engine.denied:
            reasons.append("the Skills Engine denies SKILLS_ENGINE_SECRET")
        return reasons

    def _alive(self) -> bool:
        return self._stopping.is_set() or not any(running.done() for running in self._running)

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(exc_type, exc, traceback)

    def _open_stores(self) -> Stores:
        settings = self._settings
        memory = Memory(cache_bytes=settings.state_cache_bytes, write_buffer_bytes=settings.state_write_buffer_bytes)
        try:
            return self._stack.enter_context(Stores.locked(settings.state_dir, memory))
        except StoreError as exc:
            raise SettingsError(str(exc)) from exc

    async def _open(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        settings, registry = self._settings, CollectorRegistry()
        metrics, most_events = Metrics(registry), settings.max_in_flight * len(BUILDERS)
        self._health = await self._stack.enter_async_context(
            HealthServer(settings.http_host, settings.http_port, self.reasons, self._alive, registry)
        )
        connection = connection_for(settings)
        try:
            cluster = await self._stack.enter_async_context(Cluster(connection))
        except (KafkaError, OSError) as exc:
            raise SettingsError(
                f"KAFKA_BOOTSTRAP_SERVERS: no Kafka answers at {settings.kafka_bootstrap_servers}"
            ) from exc
        reads = await self._stack.enter_async_context(open_http_client(max_connections=most_events * _READS_PER_EVENT))
        self._content = ContentService(
            reads,
            base_url=settings.content_service_base_url,
            secret=settings.content_service_secret,
            timeout_seconds=settings.content_service_timeout_seconds,
        )
        calls = await self._stack.enter_async_context(
            open_http_client(max_connections=min(most_events * _CALLS_PER_EVENT, settings.llm_max_concurrency))
        )
        self._skills_engine = SkillsEngine(
            reads,
            base_url=settings.skills_engine_base_url,
            secret=settings.skills_engine_secret,
            timeout_seconds=settings.skills_engine_timeout_seconds,
        )
        parts = Parts(
            settings=settings,
            connection=connection,
            cluster=cluster,
            content=self._content,
            skills_engine=self._skills_engine,
            model=build_model(settings, calls, metrics),
            clock=SystemClock(),
        )
        jobs = [build(parts) for build in BUILDERS]
        stores = self._open_stores()
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._stack.callback(self._stopping.set)
        for table in {table for job in jobs for table in job.needs}:
            self._running.append(group.create_task(table.run(self._stopping)))
        for job in jobs:
            engine = Engine(
                job.flow,
                connection=connection,
                cluster=cluster,
                limits=settings.limits(flows=len(jobs)),
                metrics=metrics,
                stores=stores,
                needs=job.needs,
                group_instance_id=settings.kafka_group_instance_id,
            )
            self._engines.append(engine)
            self._running.append(group.create_task(self._run(engine)))

    async def _run(self, engine: Engine) -> None:
        try:
            await engine.run(self._stopping)
        except InstanceTakenError as exc:
            self.problem = SettingsError(f"KAFKA_GROUP_INSTANCE_ID: {exc}; give each worker one of its own")
            self._ended.set()


async def run_worker(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; gives the process's exit code. A second signal ends it at once."""
    outage = configure_logging(settings)
    collect_garbage_less_often()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_abort, stop, number)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(outage.watch())
        try:
            async with Worker(settings, outage) as worker:
                _log.info("worker started", provider=settings.provider, http_port=worker.http_port)
                await worker.serve(stop)
                _log.info("worker stopping", shutdown_seconds=settings.shutdown_seconds)
        finally:
            watching.cancel()
    _log.info("worker stopped")
    if worker.problem is not None:
        raise worker.problem
    return 0


def _stop_or_abort(stop: asyncio.Event, number: signal.Signals) -> None:
    if stop.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    stop.set()
