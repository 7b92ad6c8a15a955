"""Waiting for what Kafka does in its own time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

Condition = Callable[[], bool | Awaitable[bool]]


async def eventually(condition: Condition, seconds: float = 20.0) -> None:
    """Return once the condition, plain or async, is true; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            verdict = condition()
            if await verdict if inspect.isawaitable(verdict) else verdict:
                return
            await asyncio.sleep(0.02)
