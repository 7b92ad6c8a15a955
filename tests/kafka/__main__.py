"""`make kafka`: a real Apache Kafka in the foreground, for a person."""

import argparse
import signal
import sys
import threading
from typing import TextIO

from tests.kafka.choice import NoKafkaError, choose_kafka

HOW_TO_USE = """\
{name} answers at {address}

  export KAFKA_BOOTSTRAP_SERVERS={address}
  .venv/bin/pathstream run

Its data is temporary. Ctrl-C stops it."""


def say(text: str, to: TextIO = sys.stdout) -> None:
    """Print at once, also into a pipe."""
    print(text, file=to, flush=True)


def main() -> int:
    """Run until Ctrl-C or SIGTERM; 1 when this machine can run no Kafka."""
    parser = argparse.ArgumentParser(prog="python -m tests.kafka", description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="where clients connect (default: 9092)")
    port: int = parser.parse_args().port

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        kafka = choose_kafka(given=None, port=port)
    except NoKafkaError as exc:
        say(f"No Kafka can run here: {exc}.", to=sys.stderr)
        say("Start a Docker engine, or install Java 17 and Maven. `make demo` needs neither.", to=sys.stderr)
        return 1
    say(f"Starting {kafka.name} ...")
    try:
        kafka.start()
        say(HOW_TO_USE.format(name=kafka.name, address=f"localhost:{port}"))
        while not ended.wait(1.0):
            pass  # short waits: a lock without a time limit would hold signals back on some platforms
    except RuntimeError as exc:
        say(f"{kafka.name} did not start: {exc}", to=sys.stderr)
        return 1
    finally:
        kafka.stop()
    say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
