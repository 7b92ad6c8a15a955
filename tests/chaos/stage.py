"""Builds up everything a run needs, and takes it down again."""

import contextlib
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.fleet import ROOT, Fleet, Worker
from tests.chaos.kafka import Follower, Group
from tests.chaos.plan import MOST_WORKERS, WORKERS_AT_FIRST
from tests.chaos.proxy import Link, carried
from tests.chaos.repeats import COMMIT_INTERVAL_SECONDS, Call
from tests.chaos.scene import Scene, Timing
from tests.disk import mounted
from tests.kafka.config import Route
from tests.kafka.local import LocalKafka
from tests.kafka.ports import free_ports

_ASK_SECONDS = 60.0


class PaidService:
    """The ledger's process."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    @property
    def call_url(self) -> str:
        """Where calls go."""
        return f"{self._url}/call"

    def calls(self) -> list[Call]:
        """All calls so far."""
        with urllib.request.urlopen(f"{self._url}/calls", timeout=_ASK_SECONDS) as answer:  # noqa: S310 - our own
            return [Call(*call) for call in json.load(answer)]


@contextlib.contextmanager
def paid_service(folder: Path, timing: Timing) -> Iterator[PaidService]:
    """Run the ledger; its file is `folder/ledger.jsonl`."""
    slow = map(str, timing.slow_call)
    command = [sys.executable, "-m", "tests.chaos.ledger", str(folder / "ledger.jsonl"), *slow]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        yield PaidService(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def stage(folder: Path, timing: Timing, paid: PaidService, log_level: str = "WARNING") -> Iterator[Scene]:
    """A broker with the job's topics, links to it, a disk per worker, and the first workers, ready.

    `folder` takes the workers' logs as they come, and the broker's in the end.
    """
    with contextlib.ExitStack() as stack:
        ports = free_ports(3 * MOST_WORKERS)
        links = [Link(ports.pop(), ports.pop()) for _ in range(MOST_WORKERS)]
        routes = {
            f"LINK{n}": Route(f"127.0.0.1:{link.broker_port}", f"127.0.0.1:{link.port}") for n, link in enumerate(links)
        }
        broker = LocalKafka(routes=routes)
        stack.callback(broker.stop)
        broker.start()
        stack.callback(shutil.copy, broker.log, folder / "broker.log")
        group = Group(broker.bootstrap_servers)
        group.create_topics()
        on_network = stack.enter_context(carried(links))
        settings = {
            "CHAOS_LEDGER": paid.call_url,
            "CHAOS_LIMITS": json.dumps(dict(timing.limits)),
            "COMMIT_INTERVAL_MS": str(int(COMMIT_INTERVAL_SECONDS * 1000)),
            "MAX_IN_FLIGHT": "16",
            "LOG_LEVEL": log_level,
            "STATE_WRITE_BUFFER_BYTES": str(2**20),
        }
        workers = [
            Worker(
                n, link, stack.enter_context(mounted(folder / f"w{n}")), folder, settings | {"HTTP_PORT": str(ports[n])}
            )
            for n, link in enumerate(links)
        ]
        fleet, follower = Fleet(workers), Follower(broker.bootstrap_servers)
        stack.callback(follower.close)
        for worker in workers:
            stack.callback(worker.close)
        for worker in workers[:WORKERS_AT_FIRST]:
            worker.start()
        scene = Scene(
            broker=broker,
            fleet=fleet,
            group=group,
            follower=follower,
            on_network=on_network,
            timing=timing,
        )
        scene.wait_until(lambda: group.members() == fleet.members, "the workers to join")
        scene.wait_until(lambda: not fleet.reasons(), "the workers to be ready")
        yield scene
