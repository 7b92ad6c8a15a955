"""A million events read through by one worker with state, steps and event ids: how fast, how much memory."""

from functools import partial

from rich.console import Console
from rich.table import Table

from tests.benchmarks.engine_run import Job, engine
from tests.benchmarks.load import in_turn
from tests.benchmarks.measure import measure

EVENTS = 1_000_000
LEARNERS = 10_000
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def run(servers: str, console: Console) -> None:
    """One put and one step per event, ids remembered, 10,000 learners."""
    job = Job(put=True, step=True, event_ids=True)
    with console.status("filling a topic with a million events, and reading them"):
        done = measure(servers, EVENTS, partial(engine, job=job), in_turn(EVENTS, LEARNERS))
    samples = [next(sample for sample in done.memory if sample.handled >= share) for share in SHARES]
    table = Table(f"1,000,000 events, {done.rate:,.0f} a second; MiB at", *(f"{share:.0%}" for share in SHARES))
    table.add_row("the process", *(f"{sample.resident_mib:,.0f}" for sample in samples))
    table.add_row("of it RocksDB's cache, at most 64", *(f"{sample.cache_mib:,.0f}" for sample in samples))
    table.add_row("the rest", *(f"{sample.resident_mib - sample.cache_mib:,.0f}" for sample in samples))
    console.print(table, f"peak {done.peak_mib:,.0f} MiB")
