"""FastStream on aiokafka.

At most once, `max_workers` over all records: FastStream allows that with AckPolicy.ACK_FIRST only, offsets are
committed by time whatever became of the events. At least once: AckPolicy.ACK, where `max_workers` are consumers of one
group, so no more of them work than there are partitions. It has no transaction over offsets and outputs.
"""

import asyncio
import logging
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from tests.benchmarks.peers.programs.job import COMMIT_SECONDS, SESSION_SECONDS, Job, job_from_arguments, key_of


async def run(job: Job) -> None:
    """Until killed."""
    # No pydantic on the way (`apply_types`), no log line per event: nothing the job does not need.
    broker = KafkaBroker(
        job.servers, acks="all", enable_idempotence=True, apply_types=False, logger=None, decoder=_as_it_came
    )

    async def handle(value: bytes) -> None:
        if seconds := job.seconds(value):
            await asyncio.sleep(seconds)
        await broker.publish(value, job.target, key=key_of(value))

    broker.subscriber(
        job.source,
        group_id=job.group,
        auto_offset_reset="earliest",
        max_workers=job.workers,
        ack_policy=AckPolicy.ACK_FIRST if job.mode == "at-most-once" else AckPolicy.ACK,
        auto_commit_interval_ms=int(COMMIT_SECONDS * 1000),
        session_timeout_ms=int(SESSION_SECONDS * 1000),
    )(handle)
    await FastStream(broker, logger=None).run()


async def _as_it_came(message: Any) -> bytes:
    body: bytes = message.body
    return body


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    uvloop.run(run(job_from_arguments()))
