"""One measurement: fresh topics, a process of its own."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import structlog

from consumers.runtime import collect_garbage_less_often
from tests.benchmarks.candidates import Figures
from tests.benchmarks.load import Load, prepare

Candidate = Callable[..., Coroutine[Any, Any, Figures]]


def measure(bootstrap_servers: str, events: int, candidate: Candidate) -> Figures:
    """Fill fresh topics and run a candidate over them, in a process of its own."""
    logging.disable(logging.ERROR)
    load = asyncio.run(prepare(bootstrap_servers, events))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, load, candidate).result()


def _run(load: Load, candidate: Candidate) -> Figures:
    """As the worker runs: uvloop, the worker's garbage collection, no log line per event."""
    import uvloop  # noqa: PLC0415 - the measured process only

    logging.disable(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    collect_garbage_less_often()

    async def run() -> Figures:
        return await candidate(load)

    figures: Figures = uvloop.run(run())
    return figures
