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
    table = Table("1,000,000 events", "events/s", *(f"MiB at {share:.0%}" for share in SHARES), "peak MiB")
    at = [next(mib for handled, mib in done.memory if handled >= share) for share in SHARES]
    table.add_row(
        "one put, one step, ids remembered",
        f"{done.rate:,.0f}",
        *(f"{mib:,.0f}" for mib in at),
        f"{done.peak_mib:,.0f}",
    )
    console.print(table)
