"""Faust (faust-streaming): an agent with many workers (`concurrency`), or with one per partition.

Its transactions are committed by time, with the offsets of the events that are done by then: the outputs of an event
that has sent but is not done yet go with them, and come again after a crash.
"""

import asyncio
import logging
from typing import Any

import mode.loop

mode.loop.use("uvloop")  # before anything else of Faust is imported

import faust  # noqa: E402

from tests.benchmarks.peers.programs.job import COMMIT_SECONDS, SESSION_SECONDS, Job, job_from_arguments  # noqa: E402


def application(job: Job) -> Any:
    """The application, ready to run."""
    app = faust.App(
        job.group,
        broker=f"kafka://{job.servers}",
        datadir=job.folder,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=12,
        consumer_auto_offset_reset="earliest",
        processing_guarantee=job.mode.replace("-", "_"),
        broker_commit_interval=COMMIT_SECONDS,
        broker_session_timeout=SESSION_SECONDS,
        producer_acks=-1,
        stream_wait_empty=False,
    )
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    source, target = app.topic(job.source, **raw), app.topic(job.target, **raw)

    async def handle(stream: Any) -> None:
        async for event in stream.events():
            if seconds := job.seconds(event.value):
                await asyncio.sleep(seconds)
            await target.send(key=event.key, value=event.value)

    async def pass_by(stream: Any) -> None:
        async for _ in stream:
            pass

    if job.workers == 1:
        app.agent(source, isolated_partitions=True)(handle)
    else:
        app.agent(source, concurrency=job.workers)(handle)
    if job.mode == "exactly-once":
        # A topic that the application does not read has no partitions for its TransactionManager: `send` then takes
        # the plain producer, and nothing says so.
        app.agent(target, name="pass_by")(pass_by)
    return app


if __name__ == "__main__":
    faust.Worker(application(job_from_arguments()), loglevel=logging.ERROR).execute_from_commandline()
