"""`make bench`: what the engine costs, and what it stands, on a real Kafka.

`make bench ONLY=restore` runs one part, `ONLY="restore backlog"` two.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

from rich.console import Console

from tests.benchmarks.parts import backlog, hot_keys, overhead, restore, tuning, workers
from tests.kafka import NoKafkaError, choose_kafka

PARTS: dict[str, Callable[[str, Console], None]] = {
    "overhead": overhead.run,
    "restore": restore.run,
    "backlog": backlog.run,
    "workers": workers.run,
    "hot-keys": hot_keys.run,
    "tuning": tuning.run,
}


def main() -> int:
    """Measure and print; exit code 1 without a real Kafka."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)} (default: all)")
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    try:
        kafka = choose_kafka(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))
    except NoKafkaError as exc:
        print(f"make bench needs a real Kafka: {exc}", file=sys.stderr)
        return 1
    console = Console(width=140)
    kafka.start()
    try:
        console.print(f"{kafka.name}, {os.cpu_count()} cores")
        for part in parts:
            begun = time.monotonic()
            PARTS[part](kafka.bootstrap_servers, console)
            console.print(f"{part}: {time.monotonic() - begun:.0f} s\n")
    finally:
        kafka.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
