"""What one learner with thousands of events costs the others."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from consumers.engine.context import Context
from tests.benchmarks.candidates import Stopwatch
from tests.benchmarks.engine_run import FOLDERS, RawEvent, prepared_engine, raw_flow
from tests.benchmarks.load import KEYS, Load, in_turn
from tests.benchmarks.measure import measure

EVENTS = 10_000
WORK_SECONDS = 1.0
HOT = KEYS
"""The number of the learner whom all the events are of that the others have to bear with."""
_HOT_KEY = b"learner-%04d" % HOT


class Through(NamedTuple):
    """When the others were through, in seconds, and how many of the hot learner's events were done by then."""

    seconds: float
    hot_done: int


def run(servers: str, console: Console) -> None:
    """All events take 1 s, the hot learner's one after the other: the run ends when the others are through."""
    orders: dict[str, Callable[[], Iterable[int]]] = {
        "alone": lambda: in_turn(EVENTS),
        "10,000 events of one learner among them": lambda: chain.from_iterable(zip(in_turn(EVENTS), repeat(HOT))),
        "10,000 events of one learner before them": lambda: chain(repeat(HOT, EVENTS), in_turn(EVENTS)),
    }
    table = Table("10,000 events of 1,000 learners, 1 s each", "through after s", "to alone", "hot events done by then")
    alone = 0.0
    for name, order in orders.items():
        with console.status(name):
            through = measure(servers, EVENTS, others_through, order())
        alone = alone or through.seconds
        table.add_row(name, f"{through.seconds:.1f}", f"{through.seconds / alone:.2f}", f"{through.hot_done:,}")
    console.print(table)


async def others_through(load: Load) -> Through:
    """Until the last of the others' events came out of its handler."""
    watch, stop, others, hot = Stopwatch(), asyncio.Event(), 0, 0

    async def handle(event: RawEvent, context: Context) -> None:
        nonlocal others, hot
        if not watch.running:
            watch.start()
        await asyncio.sleep(WORK_SECONDS)
        if context.record.key == _HOT_KEY:
            hot += 1
        else:
            others += 1
            if others == load.events:
                through.set_result(Through(watch.seconds, hot))

    through: asyncio.Future[Through] = asyncio.get_running_loop().create_future()
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        async with prepared_engine(load, raw_flow(load, handle), folder=Path(folder)) as running:
            running.group.create_task(running.engine.run(stop))
            result = await through
            stop.set()
    return result
