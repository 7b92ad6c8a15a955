"""What one learner with thousands of events costs the others."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from consumers.engine.context import Context
from consumers.engine.limits import Limits
from consumers.flows import BUILDERS
from consumers.settings import Settings
from tests.benchmarks.candidates import Stopwatch
from tests.benchmarks.engine_run import FOLDERS, IN_FLIGHT, RawEvent, prepared_engine, raw_flow
from tests.benchmarks.load import KEYS, Load, in_turn
from tests.benchmarks.measure import measure

EVENTS = 10_000
HOT_SECONDS = 1.0
HOT = KEYS
"""The number of the learner whom all the events are of that the others have to bear with."""
_HOT_KEY = b"learner-%04d" % HOT
_BUFFERED_BYTES = Settings().limits(flows=len(BUILDERS)).max_buffered_bytes
"""What a flow of a worker has, which is less than what a process has."""


class Through(NamedTuple):
    """When the others were through, in seconds, and how many of the hot learner's events were done by then."""

    seconds: float
    hot_done: int


def run(servers: str, console: Console) -> None:
    """The hot learner's events take 1 s, one after the other; the run ends when the others are through.

    With 1,024 in flight the others' take 1 s too; with the worker's default of 256, 0.25 s: 10 s alone in both cases.
    """
    orders: dict[str, Callable[[], Iterable[int]]] = {
        "alone": lambda: in_turn(EVENTS),
        "10,000 events of one learner among them": lambda: chain.from_iterable(zip(in_turn(EVENTS), repeat(HOT))),
        "10,000 events of one learner before them": lambda: chain(repeat(HOT, EVENTS), in_turn(EVENTS)),
    }
    table = Table("10,000 events of 1,000 learners", "through after s", "to alone", "hot events done by then")
    for in_flight, seconds in ((IN_FLIGHT, 1.0), (Limits().max_in_flight, 0.25)):
        table.add_section()
        alone = 0.0
        for name, order in orders.items():
            with console.status(name):
                candidate = partial(others_through, in_flight=in_flight, seconds=seconds)
                through = measure(servers, EVENTS, candidate, order())
            alone = alone or through.seconds
            cells = f"{through.seconds:.1f}", f"{through.seconds / alone:.2f}", f"{through.hot_done:,}"
            table.add_row(f"{seconds:g} s each, {in_flight:,} in flight: {name}", *cells)
    console.print(table)


async def others_through(load: Load, in_flight: int, seconds: float) -> Through:
    """Until the last of the others' events came out of its handler."""
    watch, stop, others, hot = Stopwatch(), asyncio.Event(), 0, 0

    async def handle(event: RawEvent, context: Context) -> None:
        nonlocal others, hot
        if not watch.running:
            watch.start()
        is_hot = context.record.key == _HOT_KEY
        await asyncio.sleep(HOT_SECONDS if is_hot else seconds)
        if is_hot:
            hot += 1
        else:
            others += 1
            if others == load.events:
                through.set_result(Through(watch.seconds, hot))

    through: asyncio.Future[Through] = asyncio.get_running_loop().create_future()
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        engine = prepared_engine(
            load, raw_flow(load, handle), folder=Path(folder), in_flight=in_flight, buffered_bytes=_BUFFERED_BYTES
        )
        async with engine as running:
            running.group.create_task(running.engine.run(stop))
            result = await through
            stop.set()
    return result
