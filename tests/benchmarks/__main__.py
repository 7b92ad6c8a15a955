"""`make bench`: what the engine costs, against a bare loop and a sequential consumer on the same real Kafka.

These machines are noisy, so what counts is the ratio within one run: bare loops and engine take turns, and the
median of the rounds' ratios is printed.
"""

import argparse
import os
import statistics
import sys
from functools import partial

from rich.console import Console
from rich.table import Table

from tests.benchmarks.candidates import Figures, bare_loop, engine, sequential
from tests.benchmarks.measure import measure
from tests.kafka import NoKafkaError, choose_kafka

IN_FLIGHT = 1_024
ROUNDS = 3
USUAL_POLL = 500


def row(name: str, figures: Figures) -> tuple[str, ...]:
    """One candidate's line of the table."""
    quantiles = statistics.quantiles(figures.commit_seconds, n=100) if len(figures.commit_seconds) > 1 else []
    return (
        name,
        f"{figures.events:,}",
        f"{figures.rate:,.0f}",
        f"{figures.cpu_seconds / figures.events * 1e6:,.1f}",
        *(f"{quantiles[n] * 1000:,.1f}" if quantiles else "-" for n in (49, 98)),
        f"{figures.peak_mib:,.0f}",
    )


def main() -> int:
    """Measure and print; exit code 1 without a real Kafka."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events at 0 ms of work (default 200,000)")
    options = parser.parse_args()
    try:
        kafka = choose_kafka(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))
    except NoKafkaError as exc:
        print(f"make bench needs a real Kafka: {exc}", file=sys.stderr)
        return 1
    kafka.start()
    try:
        _bench(kafka.bootstrap_servers, options.events, kafka.name)
    finally:
        kafka.stop()
    return 0


def _bench(servers: str, events: int, kafka_name: str) -> None:
    console = Console(width=110)
    usual, unbounded = partial(bare_loop, max_records=USUAL_POLL), partial(bare_loop, max_records=None)
    instant = partial(engine, work_seconds=0.0, in_flight=IN_FLIGHT)
    table = Table("", "events", "events/s", "CPU us/event", "commit p50 ms", "p99 ms", "peak MiB")
    table.title = (
        f"{kafka_name}, {os.cpu_count()} cores, 12 partitions, 1,000 keys, 200 B; engine: {IN_FLIGHT} in flight"
    )
    with console.status("warming the broker up"):
        measure(servers, events // 2, unbounded)
    rounds = []
    for number in range(ROUNDS):
        with console.status(f"bare loops and engine at 0 ms, round {number + 1} of {ROUNDS}"):
            rounds.append([measure(servers, events, candidate) for candidate in (usual, unbounded, instant)])
    usual_loop, unbounded_loop, ours = rounds[ROUNDS // 2]
    table.add_row(*row(f"bare loop, {USUAL_POLL} records a poll", usual_loop))
    table.add_row(*row("bare loop, unbounded polls", unbounded_loop))
    table.add_row(*row("engine, 0 ms", ours))
    for milliseconds, count in ((100, 100_000), (1_000, 10_000)):
        work = partial(engine, work_seconds=milliseconds / 1000, in_flight=IN_FLIGHT)
        with console.status(f"engine at {milliseconds} ms"):
            table.add_row(*row(f"engine, {milliseconds:,} ms", measure(servers, count, work)))
    for milliseconds, count in ((0, 500), (100, 50), (1_000, 5)):
        work = partial(sequential, work_seconds=milliseconds / 1000)
        with console.status(f"sequential consumer at {milliseconds} ms"):
            table.add_row(*row(f"sequential consumer, {milliseconds:,} ms", measure(servers, count, work)))
    console.print(table)
    for name, index in ((f"{USUAL_POLL} records a poll", 0), ("unbounded polls", 1)):
        ratios = sorted(figures[2].rate / figures[index].rate for figures in rounds)
        console.print(
            f"engine at 0 ms / bare loop, {name}: {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    sys.exit(main())
