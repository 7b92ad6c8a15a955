"""The listener and its connections: each answers its requests in order and never waits for another."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from clients.embedded_kafka.wire import MalformedRequestError, read_frame

Answer = Callable[[bytes, str], Awaitable[bytes | None]]

log = structlog.get_logger(__name__)


class Server:
    """Listens on one address; `answer` makes the response of a request's bytes and the client's host."""

    def __init__(self, *, host: str, port: int, answer: Answer, tasks: asyncio.TaskGroup) -> None:
        self._host = host
        self._port = port
        self._answer = answer
        self._tasks = tasks
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on, or did; 0 before the first time."""
        return self._port

    async def open(self) -> None:
        """Take connections, always on the same port."""
        self._listener = await asyncio.start_server(self._accept, self._host, self._port, backlog=1024)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no more connections, and end those there are at once."""
        if self._listener is None:
            return
        self._listener.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._listener.wait_closed()
        self._listener = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self._tasks.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        connection.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client_host: str = writer.get_extra_info("peername")[0]
        try:
            while True:
                response = await self._answer(await read_frame(reader), client_host)
                if response is not None:
                    writer.write(response)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        except MalformedRequestError as exc:
            log.warning("embedded_kafka_connection_closed", reason=str(exc))
        except Exception:  # one connection's trouble, whatever it is, must not end the others
            log.exception("embedded_kafka_connection_failed")
