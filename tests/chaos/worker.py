"""A worker process of the chaos suite: the engine with a job of its own, put together as `consumers/app.py` does it.

The only file here that uses the engine. Settings come from the environment as in the service; CHAOS_LEDGER is the
paid service's address and CHAOS_LIMITS replaces numbers of `consumers/engine/limits.py`.
"""

import asyncio
import dataclasses
import json
import os
import signal
from contextlib import AsyncExitStack
from functools import partial

import aiohttp
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from clients.cluster import Cluster
from clients.kafka import Connection
from clients.rocks import Memory
from consumers.connection import connection_for
from consumers.engine.context import Context, Emission, Work
from consumers.engine.flow import Flow
from consumers.engine.loop import Engine
from consumers.engine.stores import Stores
from consumers.observability import HealthServer, Metrics, configure_logging
from consumers.runtime import collect_garbage_less_often
from consumers.settings import Settings, load_settings
from schemas import codec
from schemas.envelope import Envelope, OutputModel
from schemas.errors import ContentServiceUnavailableError
from tests.chaos import job

_CALL_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.2
_FLAKY_EVERY = 50


class ChaosEvent(Envelope):
    """An event of the job."""

    n: int
    long: bool = False
    slow: str | None = None
    """The step whose call takes long, or EVERY_STEP."""
    row: int = 0
    """Instead of the usual steps, so many one after the other."""


class Receipt(BaseModel):
    """What the paid service answers."""

    id: int


class Tally(BaseModel):
    """A learner's events so far."""

    count: int = 0
    hash: str = ""


class ProgressRecord(OutputModel):
    """What a finished step tells."""

    learner: str
    n: int
    step: str
    receipt: int


class ResultRecord(OutputModel):
    """What an event comes to."""

    learner: str
    n: int
    count: int
    hash: str
    receipts: dict[str, int]


class Job:
    """Handles events: paid steps, one after the other or side by side, then the learner's state, then one result."""

    def __init__(self, paid: aiohttp.ClientSession, ledger: str, worker: str) -> None:
        self._paid = paid
        self._ledger = ledger
        self._worker = worker
        self._stumbled: set[tuple[str, int]] = set()

    def flow(self, settings: Settings) -> Flow[ChaosEvent]:
        """What the engine runs."""
        return Flow(
            name=job.GROUP,
            group_id=job.GROUP,
            inputs=(job.INPUT,),
            outputs=(job.RESULTS, job.PROGRESS),
            decode=lambda value, _topic: codec.decode(ChaosEvent, value, max_bytes=settings.max_event_bytes),
            handle=self.handle,
            stateful=True,
        )

    async def handle(self, event: ChaosEvent, context: Context) -> None:
        """Pay for each step once, count the event, say what came of it."""
        receipts = await self._pay(event, context)
        tally = self._count(event, context)
        ids = {step: receipt.id for step, receipt in receipts.items()}
        result = ResultRecord(learner=event.user_id, n=event.n, count=tally.count, hash=tally.hash, receipts=ids)
        context.emit(job.RESULTS, result, "result")

    async def _pay(self, event: ChaosEvent, context: Context) -> dict[str, Receipt]:
        if event.row:
            return {step: await self._telling(event, context, step) for step in job.steps_in_a_row(event.row)}
        receipts = {"read": await self._telling(event, context, "read")}
        self._stumble(event)
        if event.long:
            side_by_side: dict[str, Work[Receipt]] = {
                step: partial(self._call, event, step) for step in ("grade-1", "grade-2")
            }
            receipts |= await context.steps(side_by_side, into=Receipt, limit=2)
            receipts["plan"] = await self._telling(event, context, "plan")
        return receipts

    def _count(self, event: ChaosEvent, context: Context) -> Tally:
        tallies, marks = context.state(job.TALLY, Tally), context.state(job.MARK, Tally)
        before = tallies.get(job.STATE_KEY) or Tally()
        tally = Tally(count=before.count + 1, hash=job.chain(before.hash, event.n))
        tallies.put(job.STATE_KEY, tally)
        if tally.count % 2:
            marks.put(job.STATE_KEY, tally)
        else:
            marks.delete(job.STATE_KEY)
        return tally

    async def _telling(self, event: ChaosEvent, context: Context, step: str) -> Receipt:
        def told(receipt: Receipt) -> list[Emission]:
            record = ProgressRecord(learner=event.user_id, n=event.n, step=step, receipt=receipt.id)
            return [Emission(job.PROGRESS, record, step)]

        return await context.step(step, partial(self._call, event, step), into=Receipt, emits=told)

    async def _call(self, event: ChaosEvent, step: str) -> Receipt:
        name, slow = f"{event.user_id}:{event.n}", event.slow in (step, job.EVERY_STEP)
        asked = {"event": name, "step": step, "worker": self._worker, "slow": slow}
        async with self._paid.post(self._ledger, json=asked) as answer:
            return Receipt.model_validate_json(await answer.read())

    def _stumble(self, event: ChaosEvent) -> None:
        """Fail now and then after a paid step: the next attempt must not pay for it again."""
        attempt = (event.user_id, event.n)
        if event.n % _FLAKY_EVERY == 0 and attempt not in self._stumbled:
            self._stumbled.add(attempt)
            raise ContentServiceUnavailableError("stumbles once")


async def main() -> None:
    """Work until SIGTERM."""
    settings = load_settings()
    outage = configure_logging(settings)
    collect_garbage_less_often()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    registry, engines = CollectorRegistry(), list[Engine]()

    def reasons() -> list[str]:
        return [reason for engine in engines for reason in engine.reasons()] if engines else ["starting"]

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            HealthServer(settings.http_host, settings.http_port, reasons, lambda: True, registry)
        )
        connection = connection_for(settings)
        cluster = await _found(connection, stack)
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        paid = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout, connector=connector))
        memory = Memory(cache_bytes=settings.state_cache_bytes, write_buffer_bytes=settings.state_write_buffer_bytes)
        stores = stack.enter_context(Stores.locked(settings.state_dir, memory))
        limits = dataclasses.replace(settings.limits(), **json.loads(os.environ["CHAOS_LIMITS"]))
        engine = Engine(
            Job(paid, os.environ["CHAOS_LEDGER"], settings.kafka_client_id).flow(settings),
            connection=connection,
            cluster=cluster,
            limits=limits,
            metrics=Metrics(registry),
            stores=stores,
        )
        engines.append(engine)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(outage.watch())
            await engine.run(stop)
            watching.cancel()


async def _found(connection: Connection, stack: AsyncExitStack) -> Cluster:
    """The brokers, as soon as there are any: without one a worker ends, and would be started again by what runs it."""
    while True:
        try:
            return await stack.enter_async_context(Cluster(connection))
        except KafkaError:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
