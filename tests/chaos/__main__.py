"""`make chaos`: real workers on a real Kafka under faults drawn from a seed; exit code 1 when anything is wrong."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Options, Run
from tests.chaos.scene import QUICK, USUAL
from tests.kafka.jars import JarsUnavailableError


def main() -> int:
    """Run, print, and keep the folder with the logs if anything was wrong."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=15)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--quick", action="store_true", help="short timeouts, as in the short form")
    asked = parser.parse_args()
    seed = random.randrange(10**6) if asked.seed is None else asked.seed
    print(f"EVENTS={asked.events} FAULTS={asked.faults} SEED={seed}", flush=True)
    timing = QUICK if asked.quick else USUAL
    options = Options(events=asked.events, faults=asked.faults, seed=seed, timing=timing, log_level="INFO")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # take everything down again
    folder = Path(tempfile.mkdtemp(prefix="pathstream-chaos-"))
    try:
        verdict = Run(options, folder, lambda line: print(line, flush=True)).verdict()
    except JarsUnavailableError as error:
        print(f"make chaos needs a real Kafka: {error}", file=sys.stderr)
        return 1
    if verdict.good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs and ledger are in {folder}")
    print("\n".join(verdict.lines), flush=True)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
