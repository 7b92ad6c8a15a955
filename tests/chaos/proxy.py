"""The network between the workers and the broker: a TCP proxy with a link per worker, which can be cut or slowed down.

All links run in one thread of their own, so that nothing else delays what they carry.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

_CHUNK_BYTES = 2**16
_CHUNKS_ON_THE_WAY = 1_000

Item = tuple[float, bytes]


class Link:
    """One way to the broker: a port for clients and the port behind it."""

    def __init__(self, port: int, broker_port: int) -> None:
        self.port = port
        self.broker_port = broker_port
        self._delay = 0.0
        self._cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> asyncio.Server:
        """Take connections from now on."""
        return await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def delay(self, seconds: float) -> None:
        """Everything arrives so much later, in both directions; 0.0 ends it."""
        self._delay = seconds

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self._cut = True
        for carrying in self._carrying:
            carrying.cancel()

    async def hush(self) -> None:
        """Leave all connections open and carry nothing, as a dropped cable does."""
        self._flowing.clear()

    async def mend(self) -> None:
        """Carry everything again; what was on its way arrives."""
        self._cut = False
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._carrying.add(me)
        try:
            if not self._cut:
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await self._carry(reader, writer)
        finally:
            self._carrying.discard(me)
            _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry both directions until one of them ends and all it had to say has arrived."""
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.broker_port)
        up, down = asyncio.Queue[Item](_CHUNKS_ON_THE_WAY), asyncio.Queue[Item](_CHUNKS_ON_THE_WAY)
        giving = [asyncio.ensure_future(self._give(up, to_broker)), asyncio.ensure_future(self._give(down, writer))]
        taking = [asyncio.ensure_future(self._take(reader, up)), asyncio.ensure_future(self._take(from_broker, down))]
        try:
            await asyncio.wait(giving, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in (*giving, *taking):
                way.cancel()
            await asyncio.gather(*giving, *taking, return_exceptions=True)
            _reset(to_broker)

    async def _take(self, reader: asyncio.StreamReader, on_the_way: asyncio.Queue[Item]) -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(_CHUNK_BYTES)
            except OSError:
                data = b""
            await on_the_way.put((asyncio.get_running_loop().time() + self._delay, data))

    async def _give(self, on_the_way: asyncio.Queue[Item], writer: asyncio.StreamWriter) -> None:
        """Pass on what was taken, each chunk at its time, until there is an empty one: the end."""
        clock = asyncio.get_running_loop().time
        while True:
            due, data = await on_the_way.get()
            if (early := due - clock()) > 0:
                await asyncio.sleep(early)
            await self._flowing.wait()
            if not data:
                writer.close()
                await writer.wait_closed()
                return
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection, with a reset if it has not been closed."""
    if not writer.is_closing():
        no_goodbye = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_goodbye)
    writer.transport.abort()


@contextlib.contextmanager
def carried(links: Sequence[Link]) -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Run the links in a thread; gives a function that runs one of their coroutines there and waits for it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()

    async def close(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        for link in links:
            await link.cut()
        while any(link._carrying for link in links):
            await asyncio.sleep(0.01)

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(timeout=10)

    servers = [asyncio.run_coroutine_threadsafe(link.open(), loop).result(timeout=10) for link in links]
    try:
        yield run
    finally:
        run(close(servers))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
