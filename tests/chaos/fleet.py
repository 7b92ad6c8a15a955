"""The worker processes: each in its place with a link, a disk and a port of its own, started as often as need be."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.chaos.proxy import Link
from tests.disk import Disk

ROOT = Path(__file__).parents[2]
_READY_SECONDS = 2.0
_EXIT_SECONDS = 60.0


class Worker:
    """One place of the fleet, and the process that has it now."""

    def __init__(self, number: int, link: Link, disk: Disk, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = f"w{number}"
        self.link = link
        self.disk = disk
        self._port = settings["HTTP_PORT"]
        self._folder = folder
        self._settings = settings
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.wanted = False
        """Whether it is meant to run: a worker that has left is not."""

    @property
    def incarnation(self) -> str:
        """The name of the process, unlike that of the one before: its client id, and what it tells the ledger."""
        return f"{self.name}.{self._starts}"

    @property
    def running(self) -> bool:
        """Whether the process lives (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What all its processes have printed so far, each into a file of its own: `<incarnation>.log`."""
        return "".join(path.read_text() for path in sorted(self._folder.glob(f"{self.name}.*.log")))

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start a process. Its output comes through a pipe: a full disk must not silence it."""
        self._starts += 1
        self.wanted = True
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.link.port}",
            "KAFKA_CLIENT_ID": self.incarnation,
            **self._settings,
        }
        command = self.disk.command(sys.executable, "-m", "tests.chaos.worker")
        self._process = subprocess.Popen(
            command,
            env=environment | {"STATE_DIR": str(self._folder / self.name)},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        threading.Thread(
            target=_copy, args=(self._process.stdout, self._folder / f"{self.incarnation}.log"), daemon=True
        ).start()

    def reasons(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        if not self.running:
            return ["does not run"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=_READY_SECONDS):
                return []
        except urllib.error.HTTPError as answer:
            with answer:
                reasons: list[str] = json.load(answer)["reasons"]
                return reasons
        except OSError as error:
            return [f"does not answer: {error}"]

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        self._wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> int:
        """SIGTERM; gives the exit code, which is 0 also for one that had done nothing yet, and took no signals."""
        has_begun = self._listens
        self._signal(signal.SIGTERM)
        code = self._wait()
        return code if has_begun or code != -signal.SIGTERM else 0

    @property
    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", int(self._port)), _READY_SECONDS):
                return True
        except ConnectionRefusedError:
            return False

    def close(self) -> None:
        """End the process, whatever its state."""
        if self.running:
            self.thaw()
            self.kill()

    def _wait(self) -> int:
        assert self._process is not None
        return self._process.wait(_EXIT_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def _copy(output: IO[bytes], path: Path) -> None:
    with output, path.open("ab") as log:
        while data := output.read1(2**16):  # type: ignore[attr-defined]
            log.write(data)
            log.flush()


class Fleet:
    """All places for workers."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = workers

    @property
    def wanted(self) -> list[Worker]:
        """The workers that are meant to run."""
        return [worker for worker in self.workers if worker.wanted]

    @property
    def resting(self) -> list[Worker]:
        """The places that are free."""
        return [worker for worker in self.workers if not worker.wanted]

    @property
    def members(self) -> list[str]:
        """The processes that the group has to consist of, in order of their names."""
        return sorted(worker.incarnation for worker in self.wanted)

    def reasons(self) -> list[str]:
        """Why the fleet is not ready."""
        return [f"{worker.name}: {reason}" for worker in self.wanted for reason in worker.reasons()]

    def dead(self) -> list[str]:
        """The workers that should run and do not."""
        return [worker.name for worker in self.wanted if not worker.running]

    def stop(self) -> list[str]:
        """SIGTERM to all, one after the other; gives those that did not end in good order."""
        codes = {worker.name: worker.terminate() for worker in self.wanted if worker.running}
        return [f"{name} ended with {code}" for name, code in codes.items() if code]
