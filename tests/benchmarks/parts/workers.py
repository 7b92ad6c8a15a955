"""What a second and a third worker process bring, all with the same load."""

import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from consumers.engine.task_state import TaskState
from tests.benchmarks.engine_run import FOLDERS, Job, Run, prepared_engine, unfinished
from tests.benchmarks.load import PARTITIONS, Load, create_topics, in_turn, prepare_unseen, remove
from tests.benchmarks.measure import quieten, run_quietly
from tests.benchmarks.memory import busy_seconds

WORKERS = (1, 2, 3)
LEARNERS = 10_000
JOBS = ((Job(), 400_000), (Job(work_seconds=0.1), 100_000), (Job(work_seconds=0.1, put=True, step=True), 100_000))

_JOIN_SECONDS = 60.0
_LOOK_SECONDS = 0.01


class Boards(NamedTuple):
    """What the worker processes tell, one place for each of them."""

    tasks: "SynchronizedArray[int]"
    """Active tasks."""
    handled: "SynchronizedArray[int]"
    """Events handled."""
    open: "SynchronizedArray[int]"
    """1 while something is not committed."""
    cpu: "SynchronizedArray[float]"
    """CPU seconds of the process."""


class Speed(NamedTuple):
    """How fast the workers were together, and how many cores they kept busy, and everything that runs here."""

    rate: float
    cores: float
    all_cores: float


def run(servers: str, console: Console) -> None:
    """The workers join and are balanced first; then all events become visible at once."""
    quieten()
    cores = os.cpu_count()
    table = Table("events/s (busy cores: workers' of all)", *(f"{count} worker{'s'[: count > 1]}" for count in WORKERS))
    table.title = f"{cores} cores for workers and broker together, 12 partitions, 10,000 learners, 1,024 in flight each"
    for job, events in JOBS:
        cells = []
        for count in WORKERS:
            with console.status(f"{_name(job)}, {count} workers"):
                speed = asyncio.run(_measure(servers, events, job, count))
            cells.append(f"{speed.rate:,.0f} ({speed.cores:.1f} of {speed.all_cores:.1f})")
        table.add_row(_name(job), *cells)
    console.print(table)


def _name(job: Job) -> str:
    return f"{job.work_seconds * 1000:,.0f} ms of work{', one put and one step' if job.put else ''}"


async def _measure(servers: str, events: int, job: Job, count: int) -> Speed:
    load = await create_topics(servers, events)
    spawn = get_context("spawn")
    boards = Boards(*(spawn.Array(kind, count) for kind in ("i", "i", "i", "d")))
    stop = spawn.Event()
    processes = [spawn.Process(target=_worker, args=(load, job, index, boards, stop)) for index in range(count)]
    with ExitStack() as stack:
        for process in processes:
            process.start()
            stack.callback(process.join)
        stack.callback(stop.set)
        async with asyncio.timeout(_JOIN_SECONDS), prepare_unseen(load, in_turn(events, LEARNERS)):
            while sum(boards.tasks[:]) < PARTITIONS or min(boards.tasks[:]) < PARTITIONS // count:
                await asyncio.sleep(_LOOK_SECONDS)
            cpu, busy = sum(boards.cpu[:]), busy_seconds()
        begun = time.perf_counter()
        while sum(boards.handled[:]) < events or any(boards.open[:]):
            await asyncio.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - begun
        cores, all_cores = (sum(boards.cpu[:]) - cpu) / seconds, (busy_seconds() - busy) / seconds
    await remove(load)
    return Speed(events / seconds, cores, all_cores)


def _worker(load: Load, job: Job, index: int, boards: Boards, stop: Event) -> None:
    run_quietly(partial(_work, load, job, index, boards, stop))


async def _work(load: Load, job: Job, index: int, boards: Boards, stop: Event) -> None:
    """Run an engine until told to stop, telling meanwhile."""
    run, stopping = Run(load, job), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        async with prepared_engine(load, run.flow(), folder=Path(folder)) as running:
            running.group.create_task(running.engine.run(stopping))
            while not stop.is_set():
                boards.tasks[index] = sum(task.state is TaskState.ACTIVE for task in running.engine._tasks)
                boards.open[index] = unfinished(running.engine)
                boards.handled[index] = run.handled
                boards.cpu[index] = time.process_time()
                await asyncio.sleep(_LOOK_SECONDS)
            stopping.set()
