"""Two settings and what they bring: how often Python looks for garbage, how large RocksDB's cache is."""

import asyncio
import random
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from clients.rocks import Memory, RocksStore
from consumers.engine.table import Changes
from schemas.errors import StoreBusyError
from tests.benchmarks.candidates import Figures
from tests.benchmarks.engine_run import FOLDERS, Job, engine
from tests.benchmarks.load import prepare, remove
from tests.benchmarks.measure import in_process, quieten, run_quietly

EVENTS = 300_000
ROUNDS = 3
KEYS = 1_000_000
GETS = 20_000
_BATCH = 10_000
_WRITE_BUFFER_BYTES = 24 * 2**20
_CACHES_MIB = (24, 32, 64, 128)
_VALUE_BYTES = 100


def run(servers: str, console: Console) -> None:
    """One small table each."""
    _garbage(servers, console)
    _cache(console)


def _garbage(servers: str, console: Console) -> None:
    table = Table("engine at 0 ms, 300,000 events", "events/s", "CPU us/event", "ratio within a round")
    usual, rare = list[Figures](), list[Figures]()
    for number in range(ROUNDS):
        with console.status(f"garbage collection, round {number + 1} of {ROUNDS}"):
            usual.append(_with_garbage(servers, rare_garbage=False))
            rare.append(_with_garbage(servers, rare_garbage=True))
    ratios = sorted(ours.rate / theirs.rate for ours, theirs in zip(rare, usual, strict=True))
    for name, figures, ratio in (
        ("Python's own garbage collection", usual, ""),
        ("less often, as a worker does", rare, f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"),
    ):
        rate, cpu = (
            statistics.median(values) for values in zip(*((f.rate, f.cpu_seconds) for f in figures), strict=True)
        )
        table.add_row(name, f"{rate:,.0f}", f"{cpu / EVENTS * 1e6:.1f}", ratio)
    console.print(table)


def _with_garbage(servers: str, *, rare_garbage: bool) -> Figures:
    quieten()
    load = asyncio.run(prepare(servers, EVENTS))
    try:
        return in_process(partial(run_quietly, partial(engine, load, Job()), rare_garbage=rare_garbage))
    finally:
        asyncio.run(remove(load))


def _cache(console: Console) -> None:
    """A store of a million keys is made once, then opened with one cache after the other."""
    table = Table("RocksDB, 1,000,000 keys of 100 B", "get p50 us", "p99 us", "p50 with buffers full", "p99 us")
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as name:
        folder = Path(name)
        with console.status("making a store of a million keys"):
            in_process(partial(_make_store, folder))
        for mib in _CACHES_MIB:
            with console.status(f"cache of {mib} MiB"):
                times = in_process(partial(_get, folder, mib))
            cells = [
                cell for kind in times for cell in (statistics.median(kind), statistics.quantiles(kind, n=100)[98])
            ]
            table.add_row(
                f"cache of {mib} MiB, {_WRITE_BUFFER_BYTES >> 20} of it for write buffers",
                *(f"{cell * 1e6:,.1f}" for cell in cells),
            )
    console.print(table)


def _make_store(folder: Path) -> None:
    store = RocksStore(folder, Memory(cache_bytes=64 * 2**20, write_buffer_bytes=_WRITE_BUFFER_BYTES))
    chance = random.Random(1)
    for first in range(0, KEYS, _BATCH):
        _apply(store, {_key(number): chance.randbytes(_VALUE_BYTES) for number in range(first, first + _BATCH)}, first)
    store.close()


@retry(retry=retry_if_exception_type(StoreBusyError), wait=wait_fixed(0.1), stop=stop_after_delay(60), reraise=True)
def _apply(store: RocksStore, changes: Changes, position: int) -> None:
    """So much at once gets ahead of RocksDB's writing and merging: wait for it."""
    store.apply(changes, position)


def _get(folder: Path, cache_mib: int) -> tuple[list[float], list[float]]:
    """Seconds of gets at random: of a store at rest, and of one whose write buffers are full."""
    store = RocksStore(folder, Memory(cache_bytes=cache_mib * 2**20, write_buffer_bytes=_WRITE_BUFFER_BYTES))
    chance = random.Random(1)  # the same keys for every cache
    at_rest = _time_gets(store, chance)
    for _ in range(_WRITE_BUFFER_BYTES // (_BATCH * _VALUE_BYTES)):
        _apply(store, {_key(chance.randrange(KEYS)): chance.randbytes(_VALUE_BYTES) for _ in range(_BATCH)}, KEYS)
    written_to = _time_gets(store, chance)
    store.close()
    return at_rest, written_to


def _time_gets(store: RocksStore, chance: random.Random) -> list[float]:
    """After as many gets that only warm the cache."""
    times = []
    for number in range(2 * GETS):
        key, begun = _key(chance.randrange(KEYS)), time.perf_counter()
        assert store.get(key) is not None
        if number >= GETS:
            times.append(time.perf_counter() - begun)
    return times


def _key(number: int) -> bytes:
    return b"s\x00notes\x00learner-%06d\x00newest" % number
