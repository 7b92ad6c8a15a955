"""Workers that are stopped while their tasks are still being opened."""

import asyncio
import gc
from pathlib import Path

import pytest

from clients.embedded_kafka import EmbeddedKafka
from tests.integration.lab import Lab


@pytest.fixture
def lab(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> Lab:
    """On the embedded broker: what is shown does not depend on the broker."""
    return Lab.embedded(embedded_kafka, state_dir=tmp_path / "state")


# aiokafka leaves the sockets of a start that is cut off to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_worker_may_be_stopped_at_any_moment_of_its_start(lab: Lab) -> None:
    """At 50 moments, 8 ms apart: a cancellation that aiokafka swallows is obeyed all the same."""
    await lab.create(partitions=12)
    for moment in range(50):
        async with lab.engine():
            await asyncio.sleep(moment * 0.008)
    await lab.send(24)
    async with lab.engine():
        await lab.outputs_complete()
    gc.collect()  # the sockets of starts that were cut off: here, not in a later test
