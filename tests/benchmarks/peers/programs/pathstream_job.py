"""The engine as the worker runs it: the same handler as the peers', run until killed."""

import asyncio
import logging

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from clients.cluster import Cluster
from clients.kafka import Connection
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.observability import Metrics
from consumers.runtime import collect_garbage_less_often
from producers.output import Output
from tests.benchmarks.engine_run import RawEvent
from tests.benchmarks.peers.programs.job import (
    COMMIT_SECONDS,
    SESSION_SECONDS,
    TRANSACTION_SECONDS,
    Job,
    job_from_arguments,
    key_of,
)


async def run(job: Job) -> None:
    """Until killed."""

    async def handle(event: RawEvent, context: Context) -> None:
        if seconds := job.seconds(event.value):
            await asyncio.sleep(seconds)
        context.outputs.append(Output(job.target, context.record.key, event.value, []))

    flow = Flow(
        name="bench",
        group_id=job.group,
        inputs=(job.source,),
        outputs=(job.target,),
        decode=_raw,
        handle=handle,
    )
    limits = Limits(
        max_in_flight=job.workers,
        commit_interval_seconds=COMMIT_SECONDS,
        session_timeout_seconds=SESSION_SECONDS,
        transaction_timeout_seconds=TRANSACTION_SECONDS,
    )
    connection = Connection(bootstrap_servers=job.servers)
    async with Cluster(connection) as cluster:
        metrics = Metrics(CollectorRegistry())
        await Engine(flow, connection=connection, cluster=cluster, limits=limits, metrics=metrics).run(asyncio.Event())


def _raw(value: bytes | None, _topic: str) -> RawEvent:
    assert value is not None
    return RawEvent(None, key_of(value).decode(), value)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    collect_garbage_less_often()
    uvloop.run(run(job_from_arguments()))
