"""Real worker processes, started as an operator starts them, and ended as badly as need be."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2

_READY_SECONDS = 60.0


class WorkerProcess:
    """`pathstream run` in a process of its own; its log goes to a file."""

    def __init__(self, bootstrap_servers: str, log: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
        self._log = log
        self._port = port
        self._environment = {
            "PATH": os.environ["PATH"],
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "LLM_PROVIDER": "offline",
            "HTTP_PORT": str(port),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "consumers", "run"],
                env=self._environment,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ready(self) -> tuple[int, str]:
        """What /readyz answers; (0, reason) while nobody listens."""
        try:
            # without `verify=False` each question reads all root certificates, for a third of a core at the usual pace
            answer = httpx2.get(f"http://127.0.0.1:{self._port}/readyz", timeout=2, verify=False)
        except httpx2.HTTPError as exc:
            return 0, type(exc).__name__
        return answer.status_code, answer.text

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while self.ready()[0] != 200:
            assert self.running, f"the worker ended:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"not ready: {self.ready()}\n{self.log[-3000:]}"
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, as an orchestrator ends a process."""
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float = 60.0) -> int:
        """The exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def close(self) -> None:
        """End the process whatever its state."""
        if self.running:
            self.thaw()
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
