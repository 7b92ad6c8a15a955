"""Quix Streams: one thread, one record after the other, a transaction per checkpoint over offsets and outputs."""

import time
from pathlib import Path

from quixstreams import Application

from tests.benchmarks.peers.programs.job import (
    COMMIT_SECONDS,
    SESSION_SECONDS,
    TRANSACTION_SECONDS,
    Job,
    job_from_arguments,
)


def run(job: Job) -> None:
    """Until killed."""
    app = Application(
        job.servers,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        processing_guarantee=job.mode,
        commit_interval=COMMIT_SECONDS,
        auto_create_topics=False,
        use_changelog_topics=False,
        state_dir=Path(job.folder),
        loglevel="ERROR",
        consumer_extra_config={"session.timeout.ms": int(SESSION_SECONDS * 1000)},
        # A fixed id lets a restarted worker end the transaction that the killed one left open. Quix's own is random at
        # every start: then readers wait for the time limit, 60 s if it is not set.
        producer_extra_config={
            "transactional.id": job.group,
            "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000),
        },
    )
    raw = {"key_serializer": "bytes", "value_serializer": "bytes"}
    source = app.topic(job.source, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(job.target, **raw)

    def handle(value: bytes) -> bytes:
        if seconds := job.seconds(value):
            time.sleep(seconds)
        return value

    app.dataframe(source).apply(handle).to_topic(target)
    app.run()


if __name__ == "__main__":
    run(job_from_arguments())
