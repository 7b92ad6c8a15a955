"""What it takes to bring a million keys back from the changelog, on a worker that has nothing on disk."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiokafka import TopicPartition
from rich.console import Console
from rich.table import Table

from clients.rocks import RocksStore
from consumers.engine.names import STATE_SUFFIX
from consumers.engine.restore import restore
from consumers.engine.state import key_of
from tests.benchmarks.engine_run import FOLDERS, Job, Run, default_memory, prepared_engine
from tests.benchmarks.load import PARTITIONS, Load, create_topics, filling, remove, send_records
from tests.benchmarks.measure import Candidate, measure_on, quieten
from tests.benchmarks.memory import folder_bytes, peak_mib

KEYS = 1_000_000
_BATCH_BYTES = 2**14
"""About a hundred records in a batch, as checkpoints write them."""
_TEXT_BYTES = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One restore. Seconds of wall time and of CPU, bytes on disk after it."""

    records: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    disk_bytes: int


def run(servers: str, console: Console) -> None:
    """One task with all keys, and twelve tasks at once, as a worker's start restores them."""
    table = Table("restore of 1,000,000 keys", "seconds", "CPU s", "keys/s", "peak MiB", "changelog MB", "on disk MB")
    candidates: tuple[tuple[str, int, Candidate[Restored]], ...] = (
        ("one task, by restore()", 1, one_task),
        ("12 tasks at once, by the engine", PARTITIONS, all_tasks),
    )
    quieten()
    for name, partitions, candidate in candidates:
        with console.status(f"filling a changelog for {name}"):
            load, size = asyncio.run(_prepare(servers, partitions))
        with console.status(name):
            done = measure_on(load, candidate)
        asyncio.run(remove(load))
        rate = f"{done.records / done.seconds:,.0f}"
        seconds = f"{done.seconds:.1f}", f"{done.cpu_seconds:.1f}"
        table.add_row(
            name, *seconds, rate, f"{done.peak_mib:,.0f}", f"{size / 1e6:,.0f}", f"{done.disk_bytes / 1e6:,.0f}"
        )
    console.print(table)


async def one_task(load: Load) -> Restored:
    """The engine's restore of one task's state."""
    changelog = TopicPartition(load.group + STATE_SUFFIX, 0)
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        store = RocksStore(Path(folder), default_memory())
        clock = _Clock()
        records = await restore(load.connection, changelog, store, lambda _: None)
        seconds, cpu_seconds = clock.read()
        store.close()
        return _restored(records, seconds, cpu_seconds, Path(folder))


async def all_tasks(load: Load) -> Restored:
    """From the start of the engine until every task is active, joining the group included."""
    stop = asyncio.Event()
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        async with prepared_engine(load, Run(load, Job(put=True)).flow(), folder=Path(folder)) as running:
            clock = _Clock()
            running.group.create_task(running.engine.run(stop))
            while running.engine.reasons():
                await asyncio.sleep(0.01)
            seconds, cpu_seconds = clock.read()
            records = sum(task.data.store.position for task in running.engine._tasks if task.data is not None)
            stop.set()
        return _restored(records, seconds, cpu_seconds, Path(folder))


class _Clock:
    """Wall and CPU time of this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def _restored(records: int, seconds: float, cpu_seconds: float, folder: Path) -> Restored:
    """With the stores closed, so that everything is on disk."""
    assert records == KEYS, f"{records} records were restored"
    return Restored(
        records=records,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mib=peak_mib(),
        disk_bytes=folder_bytes(folder),
    )


async def _prepare(servers: str, partitions: int) -> tuple[Load, int]:
    """A changelog with a million keys, as `ctx.state` would write them, and its bytes."""
    load = await create_topics(servers, events=0, partitions=partitions)
    async with filling(load, _BATCH_BYTES) as producer:
        size = await send_records(producer, load.group + STATE_SUFFIX, _states(partitions))
    return load, size


def _states(partitions: int) -> Iterable[tuple[int, bytes, bytes]]:
    """Keys as `ctx.state` makes them, values of 100 bytes that do not compress well."""
    chance = random.Random(1)  # the same for all
    for number in range(KEYS):
        key = key_of("s", "notes", f"learner-{number:06d}", "newest")
        text = chance.randbytes(_TEXT_BYTES).hex().encode()
        yield number % partitions, key, b'{"number":%07d,"text":"%s"}' % (number, text)
