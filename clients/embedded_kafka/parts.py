"""What the handlers of requests work on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clients.embedded_kafka.groups import Groups
from clients.embedded_kafka.offsets import CommittedOffsets
from clients.embedded_kafka.topics import Topics
from clients.embedded_kafka.transactions import Transactions
from clients.embedded_kafka.wire import Fields, Request

NODE_ID = 1


@dataclass(slots=True, kw_only=True)
class Parts:
    """The broker's parts, and the address that it tells its clients."""

    host: str
    port: int
    topics: Topics
    groups: Groups
    offsets: CommittedOffsets
    transactions: Transactions


# What answers one kind of request: the fields of the response, or None when the client wants none.
Handler = Callable[[Parts, Request], Awaitable[Fields | None]]


def now() -> float:
    """The event loop's time, in seconds."""
    return asyncio.get_running_loop().time()
