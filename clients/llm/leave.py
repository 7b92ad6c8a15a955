"""Leave to make a call, asked for before every one: whoever runs the caller may have to hold it back.

A step may come to several calls, by retries and by asking again. Long after it has begun, its result may be of no use.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

leave: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("leave", default=None)
"""Returns when a call may be made; None: always."""


async def wait_for_leave() -> None:
    """Wait until a call may be made."""
    if (may_call := leave.get()) is not None:
        await may_call()
