"""A file or standard input as lines, without blocking the event loop or unblocking the terminal."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

_CHUNK_BYTES = 65_536
_CHUNKS_AHEAD = 8


async def lines_of(descriptor: int) -> AsyncIterator[bytes]:
    """Each line, without its newline, as soon as it is there.

    A daemon thread reads: one that waits for a terminal cannot be cancelled and must not hold up the exit.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_CHUNKS_AHEAD)
    loop = asyncio.get_running_loop()

    failed: list[OSError] = []

    def read() -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = os.read(descriptor, _CHUNK_BYTES)
            except OSError as exc:
                loop.call_soon_threadsafe(failed.append, exc)
                chunk = b""
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # the loop has ended

    threading.Thread(target=read, daemon=True).start()
    rest = bytearray()
    while chunk := await chunks.get():
        *lines, tail = chunk.split(b"\n")
        for line in lines:
            rest += line
            yield bytes(rest)
            rest.clear()
        rest += tail
    if failed:
        raise failed[0]
    if rest:
        yield bytes(rest)
