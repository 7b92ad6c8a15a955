"""Answers of a remote service, kept for a while: bounded, and asked for once however many wait for it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from clients.clock import Clock

Value = TypeVar("Value")


class AnswerCache(Generic[Value]):
    """Values by key for `keep_seconds`, at most `max_weight` in all; the least recently used go first.

    Failures are not kept: those who waited for the same call share its error, the next caller asks again.
    """

    def __init__(self, clock: Clock, *, keep_seconds: float, max_weight: int) -> None:
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._max_weight = max_weight
        self._weight = 0
        self._kept: OrderedDict[str, tuple[float, int, Value]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Value]] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[tuple[Value, int]]]) -> Value:
        """Return the value kept for `key`, or await `load`, which gives a value and its weight."""
        while True:
            if (kept := self._kept.get(key)) is not None and kept[0] > self._clock.monotonic():
                self._kept.move_to_end(key)
                return kept[2]
            if (asked := self._asked.get(key)) is None:
                return await self._load(key, load)
            # A cancelled caller must not take the call away from those who wait with it, and when it is the
            # one who makes the call, the next in line makes it again.
            await asyncio.wait([asked])
            if not asked.cancelled():
                return asked.result()

    async def _load(self, key: str, load: Callable[[], Awaitable[tuple[Value, int]]]) -> Value:
        asked = self._asked[key] = asyncio.get_running_loop().create_future()
        try:
            value, weight = await load()
        except Exception as exc:
            asked.set_exception(exc)
            asked.exception()  # marks it as seen: nobody may be waiting
            raise
        except BaseException:
            asked.cancel()
            raise
        else:
            asked.set_result(value)
            self._keep(key, value, weight)
            return value
        finally:
            del self._asked[key]

    def _keep(self, key: str, value: Value, weight: int) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._weight -= old[1]
        self._kept[key] = (self._clock.monotonic() + self._keep_seconds, weight, value)
        self._weight += weight
        while self._weight > self._max_weight:
            _, (_, dropped, _) = self._kept.popitem(last=False)
            self._weight -= dropped
