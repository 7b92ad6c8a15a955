"""What the engine costs, with state and steps off and on, against bare loops and a sequential consumer."""

import os
import statistics
from functools import partial

from rich.console import Console
from rich.table import Table

from consumers.engine.names import SEEN_SUFFIX, STATE_SUFFIX
from tests.benchmarks.candidates import Figures, bare_loop, sequential
from tests.benchmarks.engine_run import IN_FLIGHT, Job, engine
from tests.benchmarks.measure import Candidate, measure

EVENTS = 200_000
ROUNDS = 3
USUAL_POLL = 500

LOOPS: dict[str, Candidate[Figures]] = {
    f"bare loop, {USUAL_POLL} records a poll": partial(bare_loop, max_records=USUAL_POLL),
    "bare loop, unbounded polls": partial(bare_loop, max_records=None),
}
BOTH = Job(put=True, step=True)
JOBS = {
    "engine, state and steps off": Job(),
    "engine, one put": Job(put=True),
    "engine, one step": Job(step=True),
    "engine, one put and one step": BOTH,
    "engine, the same and event ids remembered": Job(put=True, step=True, event_ids=True),
}
SLOW_JOBS = ((0.1, 100_000), (1.0, 10_000))
SEQUENTIAL = ((0.0, 500), (0.1, 50), (1.0, 5))


def run(servers: str, console: Console) -> None:
    """Bare loops and engine take turns: these machines are noisy, so what counts is the ratio within a round."""
    instant = LOOPS | {name: partial(engine, job=job) for name, job in JOBS.items()}
    with console.status("warming the broker up"):
        measure(servers, EVENTS // 2, LOOPS["bare loop, unbounded polls"])
    rounds: list[dict[str, Figures]] = []
    for number in range(ROUNDS):
        with console.status(f"bare loops and engine at 0 ms, round {number + 1} of {ROUNDS}"):
            rounds.append({name: measure(servers, EVENTS, candidate) for name, candidate in instant.items()})
    table = Table(
        "0 ms of work", "events/s", "CPU us/event", "commit p50 ms", "p99 ms", "changelog B/event", "peak MiB"
    )
    table.title = f"{os.cpu_count()} cores, 12 partitions, 1,000 learners, 200 B; engine: {IN_FLIGHT:,} in flight"
    for name in instant:
        table.add_row(name, *_row(_median([figures[name] for figures in rounds])))
    console.print(table, _ratios(rounds))
    console.print(_slow(servers, console))


def _slow(servers: str, console: Console) -> Table:
    table = Table("with work", "events/s", "CPU us/event", "commit p50 ms", "p99 ms", "changelog B/event", "peak MiB")
    for seconds, events in SLOW_JOBS:
        for name, job in (
            ("engine", Job(work_seconds=seconds)),
            ("engine, work in a step, and one put", Job(work_seconds=seconds, put=True, step=True)),
        ):
            with console.status(f"{name}, {seconds:g} s"):
                figures = measure(servers, events, partial(engine, job=job))
            table.add_row(f"{name}, {seconds * 1000:,.0f} ms", *_row(figures))
    for seconds, events in SEQUENTIAL:
        with console.status(f"sequential consumer, {seconds:g} s"):
            figures = measure(servers, events, partial(sequential, work_seconds=seconds))
        table.add_row(f"sequential consumer, {seconds * 1000:,.0f} ms", *_row(figures))
    return table


def _ratios(rounds: list[dict[str, Figures]]) -> Table:
    """Engine rates over those of the bare loops, in the same round: median, lowest and highest."""
    table = Table("events/s in ratio to", *LOOPS)
    for name in JOBS:
        cells = []
        for loop in LOOPS:
            ratios = sorted(figures[name].rate / figures[loop].rate for figures in rounds)
            cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
        table.add_row(name, *cells)
    return table


def _median(figures: list[Figures]) -> Figures:
    return sorted(figures, key=lambda one: one.rate)[len(figures) // 2]


def _row(figures: Figures) -> tuple[str, ...]:
    quantiles = statistics.quantiles(figures.commit_seconds, n=100) if len(figures.commit_seconds) > 1 else []
    changelogs = sum(size for topic, size in figures.sent_bytes.items() if topic.endswith((STATE_SUFFIX, SEEN_SUFFIX)))
    return (
        f"{figures.rate:,.0f}",
        f"{figures.cpu_seconds / figures.events * 1e6:,.1f}",
        *(f"{quantiles[n] * 1000:,.1f}" if quantiles else "-" for n in (49, 98)),
        f"{changelogs / figures.events:,.0f}" if changelogs else "-",
        f"{figures.peak_mib:,.0f}",
    )
