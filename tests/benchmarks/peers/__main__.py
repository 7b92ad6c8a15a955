"""`make bench-peers`: the same job with what a user would pick instead, on the same real Kafka.

Each candidate is one process. Its speed is taken at three amounts of work; then it is killed in the middle of a run
and started again, and a reader with read_committed counts what is lost, twice, or overtaken.
"""

import argparse
import asyncio
import logging
import os
import sys

from rich.console import Console
from rich.table import Column, Table

from tests.benchmarks.peers.candidates import CANDIDATES, PEERS_PYTHON, Candidate
from tests.benchmarks.peers.trial import killed, undisturbed
from tests.kafka import NoKafkaError, choose_kafka

WORK_MILLISECONDS = (0, 100, 1_000)
KILL_WORK_SECONDS = 0.1
WIDTH = 150


def main() -> int:
    """Measure and print; exit code 1 without a real Kafka or without the peers' environment."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--only", default="", help="candidates whose name and setting contain this text")
    only: str = parser.parse_args().only.lower()
    if not PEERS_PYTHON.exists():
        print(f"{PEERS_PYTHON} is missing: start this with `make bench-peers`", file=sys.stderr)
        return 1
    try:
        kafka = choose_kafka(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))
    except NoKafkaError as exc:
        print(f"make bench-peers needs a real Kafka: {exc}", file=sys.stderr)
        return 1
    chosen = [candidate for candidate in CANDIDATES if only in f"{candidate.name} {candidate.setting}".lower()]
    logging.disable(logging.ERROR)
    kafka.start()
    try:
        asyncio.run(_bench(kafka.bootstrap_servers, chosen, kafka.name))
    finally:
        kafka.stop()
    return 0


async def _bench(servers: str, candidates: list[Candidate], kafka_name: str) -> None:
    console = Console(width=WIDTH)
    table = Table(
        *(Column("", no_wrap=True), "promised", "0 ms", "100 ms", "1 s", "peak MiB", "keys in order"),
        *("kill -9: lost", "twice", "back after s"),
    )
    table.title = (
        f"{kafka_name}, {os.cpu_count()} cores, 12 partitions, 1,000 keys, 200 B; events/s at 0 ms, 100 ms, 1 s of work"
    )
    for candidate in candidates:
        try:
            table.add_row(*await _row(candidate, servers, console))
        except RuntimeError as exc:
            table.add_row(*_head(candidate), "failed")
            console.print(f"{candidate.name}, {candidate.setting}: {exc}", markup=False)
    console.print(table)
    console.print(
        "One process each; events/s over the middle 80 % of the outputs. Each event's work takes 0.5 to 1.5 times what "
        "stands above. Killed in the middle of a run at 100 ms and started again at once; counted with read_committed."
    )
    for candidate in candidates:
        console.print(f"{candidate.name}, {candidate.setting}: {candidate.why}.", markup=False)


async def _row(candidate: Candidate, servers: str, console: Console) -> tuple[str, ...]:
    runs = []
    for milliseconds, events in zip(WORK_MILLISECONDS, candidate.events, strict=True):
        with console.status(f"{candidate.name}, {candidate.setting}, at {milliseconds:,} ms"):
            runs.append(await undisturbed(candidate, servers, events, milliseconds / 1000))
    with console.status(f"{candidate.name}, {candidate.setting}, killed"):
        runs.append(await killed(candidate, servers, candidate.events[1], KILL_WORK_SECONDS))
    *whole, cut = runs
    peaks = [run.peak_mib for run in whole if run.peak_mib is not None]
    overtaken = sum(run.outputs.overtaken for run in runs) / sum(run.outputs.found for run in runs)
    return (
        *_head(candidate),
        *(f"{run.outputs.rate:,.0f}" + (f" ({run.outputs.lost:,} lost)" if run.outputs.lost else "") for run in whole),
        f"{max(peaks):,.0f}" if peaks else "-",
        f"{overtaken:.2%} overtaken" if overtaken else "yes",
        f"{cut.outputs.lost:,} of {candidate.events[1]:,}",
        f"{cut.outputs.duplicates:,}",
        f"{cut.outage_seconds:.0f}" if cut.outage_seconds is not None else "never",
    )


def _head(candidate: Candidate) -> tuple[str, str]:
    return f"{candidate.name}\n  {candidate.setting}", candidate.mode


if __name__ == "__main__":
    sys.exit(main())
