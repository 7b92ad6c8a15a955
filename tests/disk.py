"""A worker's disk, which can be wiped and filled up.

Where a user may have namespaces of their own, the disk is a small tmpfs of the worker's own and really full
(ENOSPC). It lives as long as the process that holds its namespace, so it outlives the worker. Elsewhere it is a folder,
and full means that the worker's files may not grow any more (RLIMIT_FSIZE, EFBIG).
"""

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_BYTES = 48 * 2**20
_BLOCK = b"\0" * 2**16
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Disk(Protocol):
    """What a fault does to a disk."""

    name: str
    path: Path
    """Where it is for a process that has no disk of its own."""
    is_forgiving: bool
    """Whether RocksDB writes again when there is room; after EFBIG it has to be opened anew."""

    def command(self, *command: str) -> list[str]:
        """The command line that runs a command with this disk in place."""

    def wipe(self) -> None:
        """Remove everything."""

    def fill(self, pid: int, /) -> None:
        """Let the process write nothing any more."""

    def free(self, pid: int, /) -> None:
        """Let it write again."""


class SmallDisk:
    """A tmpfs in a namespace of its own, mounted at `folder`."""

    name = "tmpfs"
    is_forgiving = True

    def __init__(self, folder: Path, holder: int) -> None:
        self._holder = holder
        self.path = Path(f"/proc/{holder}/root{folder}")
        self._ballast = self.path / "ballast"

    def command(self, *command: str) -> list[str]:
        return ["nsenter", "--user", "--mount", "--preserve-credentials", f"--target={self._holder}", *command]

    def wipe(self) -> None:
        for entry in self.path.iterdir():
            shutil.rmtree(entry)

    def fill(self, _pid: int, *, leave: int = 0) -> None:
        """Fill it up to so many bytes."""
        block = _BLOCK
        with self._ballast.open("wb", buffering=0) as ballast:
            while block:
                try:
                    ballast.write(block)
                except OSError:
                    block = block[: len(block) // 2]
            ballast.truncate(ballast.tell() - leave)

    def free(self, _pid: int) -> None:
        self._ballast.unlink()


class Folder:
    """A folder of the machine's own disk."""

    name = "RLIMIT_FSIZE"
    is_forgiving = False

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def command(self, *command: str) -> list[str]:
        return list(command)

    def wipe(self) -> None:
        for entry in self.path.iterdir():
            shutil.rmtree(entry)

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, _UNLIMITED)


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A disk at `folder`, the best that this machine allows."""
    folder.mkdir(parents=True)
    mount = f"mount -t tmpfs -o size={_BYTES} tmpfs '{folder}' && echo mounted && exec sleep infinity"
    try:
        holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        yield Folder(folder)
        return
    try:
        assert holder.stdout is not None
        is_mounted = holder.stdout.readline() == b"mounted\n" and shutil.which("nsenter") is not None
        yield SmallDisk(folder, holder.pid) if is_mounted else Folder(folder)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]
