"""A worker in which something breaks that should not ends, whatever its handlers are at, and begins nothing again."""

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from clients.embedded_kafka import EmbeddedKafka
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.loop import Engine
from consumers.engine.task_state import TaskState
from schemas.errors import first_error
from tests.integration.handlers import Hold, states
from tests.integration.lab import Lab, until


class BugError(Exception):
    """What nothing in the engine expects."""


async def broken(*_: object) -> NoReturn:
    raise BugError


@pytest.mark.parametrize("breaks", ["a commit of its own", "another flow of the process"])
async def test_a_stop_amid_which_something_breaks_waits_for_no_handler(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    lab, engines, stop = Lab.embedded(embedded_kafka, state_dir=tmp_path), list[Engine](), asyncio.Event()
    await lab.create(partitions=1)
    await lab.send(1)

    async def work() -> None:
        async with lab.engine(Hold()) as engine:
            engines.append(engine)
            await stop.wait()

    working = asyncio.ensure_future(work())
    await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
    if breaks == "a commit of its own":
        monkeypatch.setattr(Checkpointer, "checkpoint", broken)
    stop.set()
    if breaks == "another flow of the process":
        await until(lambda: states(engines[0]) == {TaskState.LEAVING}, "the stop to wait for the handler")
        working.cancel()
    done, _ = await asyncio.wait([working], timeout=10)
    assert done, "the handler keeps the worker"
    if breaks == "a commit of its own":
        error = working.exception()
        assert error is not None
        assert isinstance(first_error(error), BugError)
    assert lab.handled[0] == 1
