"""What a reader with read_committed finds in a target topic: how much of it, how often, and in which order."""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.load import PARTITIONS, Load
from tests.benchmarks.peers.programs.job import number_of


class Outputs:
    """The outputs seen so far; their source holds the numbers from 0 to `events` - 1."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._times_seen = bytearray(events)
        self._newest_of_key: dict[bytes, int] = {}
        self.found = 0
        """Events with an output."""
        self.duplicates = 0
        """Outputs beyond an event's first."""
        self.overtaken = 0
        """Events whose first output came after that of a later event with the same key."""
        self._appended_ms = array("q")

    def add(self, key: bytes, value: bytes, appended_ms: int) -> None:
        """One record of the target topic; those of one partition come in its order."""
        number = number_of(value)
        if self._times_seen[number]:
            self.duplicates += 1
            return
        self._times_seen[number] = 1
        self._appended_ms.append(appended_ms)
        self.found += 1
        if number < self._newest_of_key.get(key, -1):
            self.overtaken += 1
        else:
            self._newest_of_key[key] = number

    @property
    def lost(self) -> int:
        """Events without an output."""
        return self._events - self.found

    @property
    def rate(self) -> float:
        """Events per second by the broker's stamps, over the middle 80 %: without the start and what trails behind."""
        stamps = sorted(self._appended_ms)
        skipped = len(stamps) // 10
        middle = stamps[skipped : len(stamps) - skipped]
        return (len(middle) - 1) / max(middle[-1] - middle[0], 1) * 1000 if middle else 0.0

    @property
    def last_append(self) -> float:
        """When the broker took the newest output, in seconds since the epoch."""
        return max(self._appended_ms, default=0) / 1000

    @property
    def complete(self) -> bool:
        """Every event has an output."""
        return not self.lost


class Reader:
    """Reads one target topic from its beginning."""

    def __init__(self, consumer: AIOKafkaConsumer, load: Load) -> None:
        self._consumer = consumer
        self._events = load.events
        self._partitions = [TopicPartition(load.target, number) for number in range(PARTITIONS)]
        self.outputs = Outputs(load.events)

    async def wait_for_volume(self, *, seconds: float, alive: Callable[[], None]) -> None:
        """Return once the topic is as long as there are events, or after `seconds`: reads nothing meanwhile.

        A candidate is not to share its two cores with a reader. Transactions' marks count here, so it may be a bit
        early; `alive` raises when the candidate has ended.
        """
        deadline = time.monotonic() + seconds
        while sum((await self._consumer.end_offsets(self._partitions)).values()) < self._events:
            if time.monotonic() > deadline:
                return
            alive()
            await asyncio.sleep(0.2)

    async def read_until(self, done: Callable[[], bool], *, idle_seconds: float, alive: Callable[[], None]) -> None:
        """Read until `done`, or until nothing has come for `idle_seconds`; `alive` as above."""
        newest = time.monotonic()
        while not done() and time.monotonic() - newest < idle_seconds:
            alive()
            fetched: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=200)
            if fetched:
                newest = time.monotonic()
            for record in (record for records in fetched.values() for record in records):
                self.outputs.add(record.key, record.value, record.timestamp)


@asynccontextmanager
async def reading(load: Load) -> AsyncIterator[Reader]:
    """A reader that joins no group."""
    consumer = load.connection.consumer()
    consumer.assign([TopicPartition(load.target, number) for number in range(PARTITIONS)])
    await consumer.start()
    try:
        yield Reader(consumer, load)
    finally:
        await consumer.stop()
