"""Takes records from the consumer, as many as there is room for, and hands them to their tasks."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from consumers.engine.assignment import Assignment
from consumers.engine.buffer import Buffer
from consumers.engine.lane import Lane
from consumers.engine.limits import Limits
from consumers.engine.offsets import PassedOffsetError
from consumers.engine.report import Report


class Poller:
    """Polls what may be polled; one partition that cannot be read costs no other."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        buffer: Buffer,
        submit: Callable[[Lane], None],
        limits: Limits,
        report: Report,
    ) -> None:
        """`submit` takes lanes that have become ready."""
        self._consumer = consumer
        self._buffer = buffer
        self._submit = submit
        self._limits = limits
        self._report = report
        self._unreadable: dict[TopicPartition, str] = {}
        self._is_one_by_one = False

    def go_one_by_one(self) -> None:
        """A poll has failed: until all can be read again, each partition is polled alone."""
        self._is_one_by_one = True

    def reasons(self) -> list[str]:
        """Which partitions cannot be read, and why."""
        return [f"{place.topic}-{place.partition}: {error}" for place, error in self._unreadable.items()]

    async def poll(self, assignment: Assignment) -> None:
        """Take what is there; while there is no room, of tasks that hold less than their share. Raises KafkaError."""
        has_room = self._buffer.room.is_set()
        share = math.inf if has_room else self._buffer.share(len(assignment.tasks) or 1)
        partitions = assignment.pollable(holding_less_than=share)
        if partitions and self._is_one_by_one:
            self._is_one_by_one = await self._poll_each(assignment, partitions)
            return
        seconds = self._limits.poll_seconds if has_room else 0.0
        fetched = await self._getmany(*partitions, seconds=seconds) if partitions else {}
        self._accept(assignment, fetched)
        if partitions and has_room and not fetched:
            await assignment.settle()
        elif not fetched:
            await self._pause(has_room=has_room)

    async def _pause(self, *, has_room: bool) -> None:
        """Nothing may be polled, or nothing is there of what may be: wait a moment, no longer than for room."""
        if has_room:
            await asyncio.sleep(self._limits.idle_seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._buffer.room.wait()

    async def _poll_each(self, assignment: Assignment, partitions: Sequence[TopicPartition]) -> bool:
        """Poll partitions one by one, so that one that cannot be read costs no other; whether there is such a one."""
        ours = {place for place in self._unreadable if assignment.driver_of(place) is not None}
        self._unreadable = {place: self._unreadable[place] for place in ours}
        for partition in partitions:
            try:
                fetched = await self._getmany(partition, seconds=0.0)
            except KafkaError as exc:
                self._unreadable[partition] = f"cannot be read: {type(exc).__name__}"
                self._report.unreadable(partition, exc)
                if (driver := assignment.driver_of(partition)) is not None:
                    driver.rewind()
            else:
                if fetched:
                    self._unreadable.pop(partition, None)
                self._accept(assignment, fetched)
        await asyncio.sleep(self._limits.idle_seconds if not self._unreadable else self._limits.poll_seconds)
        return bool(self._unreadable)

    async def _getmany(
        self, *partitions: TopicPartition, seconds: float
    ) -> Mapping[TopicPartition, list[ConsumerRecord[Any, Any]]]:
        fetched: Mapping[TopicPartition, list[ConsumerRecord[Any, Any]]] = await self._consumer.getmany(
            *partitions, timeout_ms=int(seconds * 1000), max_records=self._limits.poll_max_records
        )
        return fetched

    def _accept(self, assignment: Assignment, fetched: Mapping[TopicPartition, list[ConsumerRecord[Any, Any]]]) -> None:
        for source, records in fetched.items():
            driver = assignment.driver_of(source)
            if driver is None or not records:
                continue  # opening the task anew seeks back to these records
            try:
                ready = driver.task.accept(source, records)
            except ValueError as exc:
                driver.fail(PassedOffsetError(str(exc)))
                continue
            for lane in ready:
                self._submit(lane)
