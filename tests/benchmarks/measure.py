"""One measurement: fresh topics, a process of its own."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

import structlog

from consumers.runtime import collect_garbage_less_often
from tests.benchmarks.load import Load, prepare, remove

Result = TypeVar("Result")
Candidate = Callable[..., Coroutine[Any, Any, Result]]


def measure(
    bootstrap_servers: str, events: int, candidate: Candidate[Result], learners: Iterable[int] | None = None
) -> Result:
    """Fill fresh topics and run a candidate over them, in a process of its own."""
    quieten()
    load = asyncio.run(prepare(bootstrap_servers, events, learners))
    try:
        return measure_on(load, candidate)
    finally:
        asyncio.run(remove(load))


def measure_on(load: Load, candidate: Candidate[Result]) -> Result:
    """Run a candidate over topics that are there, in a process of its own."""
    return in_process(partial(run_quietly, partial(candidate, load)))


def in_process(work: Callable[[], Result]) -> Result:
    """What `work` gives, from a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work).result()


def run_quietly(candidate: Callable[[], Coroutine[Any, Any, Result]], *, rare_garbage: bool = True) -> Result:
    """As the worker runs: uvloop, the worker's garbage collection, no log line per event."""
    import uvloop  # noqa: PLC0415 - the measured process only

    quieten()
    if rare_garbage:
        collect_garbage_less_often()
    return uvloop.run(candidate())


def quieten() -> None:
    """No log lines between the tables."""
    logging.disable(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
