"""`make bench`: what the engine costs, against a bare loop and a sequential consumer on the same real Kafka.

These machines are noisy, so what counts is the ratio within one run: bare loop and engine take turns, and the
median of the pairs is printed.
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
PAIRS = 3


def row(name: str, figures: Figures, ratio: str = "") -> tuple[str, ...]:
    """One candidate's line of the table."""
    quantiles = statistics.quantiles(figures.commit_seconds, n=100) if len(figures.commit_seconds) > 1 else []
    return (
        name,
        f"{figures.events:,}",
        f"{figures.rate:,.0f}",
        f"{figures.cpu_seconds / figures.events * 1e6:,.1f}",
        *(f"{quantiles[n] * 1000:,.1f}" if quantiles else "-" for n in (49, 98)),
        f"{figures.peak_mib:,.0f}",
        ratio,
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
    table = Table("", "events", "events/s", "CPU us/event", "commit p50 ms", "p99 ms", "peak MiB", "of bare loop")
    table.title = (
        f"{kafka_name}, {os.cpu_count()} cores, 12 partitions, 1,000 keys, 200 B; engine: {IN_FLIGHT} in flight"
    )
    with console.status("warming the broker up"):
        measure(servers, events // 2, bare_loop)
    pairs = []
    for number in range(PAIRS):
        with console.status(f"bare loop and engine at 0 ms, pair {number + 1} of {PAIRS}"):
            bare = measure(servers, events, bare_loop)
            pairs.append((bare, measure(servers, events, partial(engine, work_seconds=0.0, in_flight=IN_FLIGHT))))
    ratios = [ours.rate / bare.rate for bare, ours in pairs]
    bare, ours = sorted(pairs, key=lambda pair: pair[1].rate / pair[0].rate)[PAIRS // 2]
    table.add_row(*row("bare getmany, send_batch, commit", bare, "1.00"))
    table.add_row(*row("engine, 0 ms", ours, f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"))
    for milliseconds, count in ((100, 100_000), (1_000, 10_000)):
        work = partial(engine, work_seconds=milliseconds / 1000, in_flight=IN_FLIGHT)
        with console.status(f"engine at {milliseconds} ms"):
            table.add_row(*row(f"engine, {milliseconds:,} ms", measure(servers, count, work)))
    for milliseconds, count in ((0, 500), (100, 50), (1_000, 5)):
        work = partial(sequential, work_seconds=milliseconds / 1000)
        with console.status(f"sequential consumer at {milliseconds} ms"):
            table.add_row(*row(f"sequential consumer, {milliseconds:,} ms", measure(servers, count, work)))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
