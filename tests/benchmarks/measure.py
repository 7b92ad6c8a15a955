"""One measurement: fresh topics, a process of its own."""

import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import structlog

from tests.benchmarks.candidates import Figures
from tests.benchmarks.load import prepare

Candidate = Callable[..., Coroutine[Any, Any, Figures]]


def measure(bootstrap_servers: str, events: int, candidate: Candidate) -> Figures:
    """Fill fresh topics and run a candidate over them, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, bootstrap_servers, events, candidate).result()


def _run(bootstrap_servers: str, events: int, candidate: Candidate) -> Figures:
    import uvloop  # noqa: PLC0415 - the measured process only

    logging.disable(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    async def run() -> Figures:
        return await candidate(await prepare(bootstrap_servers, events))

    figures: Figures = uvloop.run(run())
    return figures
