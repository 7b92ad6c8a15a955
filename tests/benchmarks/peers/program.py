"""A candidate's program as a process: started, watched and killed."""

import asyncio
import contextlib
import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks.load import Load
from tests.benchmarks.peers.candidates import Candidate

LOG_TAIL = 2_000


class Program:
    """One candidate over one load; `async with` kills what is left of it."""

    def __init__(self, candidate: Candidate, load: Load, work_seconds: float) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pathstream-peers-"))
        self._command = [
            *(str(candidate.python.absolute()), "-m", f"tests.benchmarks.peers.programs.{candidate.program}"),
            *("--servers", load.bootstrap_servers, "--source", load.source, "--target", load.target),
            *("--group", load.group, "--work-seconds", str(work_seconds), "--mode", candidate.mode),
            *("--workers", str(candidate.workers), "--folder", str(self._folder)),
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def start(self) -> None:
        """Start it, or start it again."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """Kill -9; nothing if it does not run."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def check(self) -> None:
        """Raises RuntimeError when the process has ended by itself."""
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"{self._command[2]} ended:\n{self._log.read_text()[-LOG_TAIL:]}")

    def peak_mib(self) -> float | None:
        """The most memory it has had so far (resident set); None where the system does not tell."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else None

    @property
    def _log(self) -> Path:
        return self._folder / "log"
