"""Where a task stands: what is committed for its partitions, by its own changelog and by the group.

A stateful task writes its positions twice, in one transaction: as the group's offsets, for Kafka's tools and for lag,
and into its changelog. The changelog decides. A group's coordinator answers from what it has loaded into memory, and
Kafka 4.1 was seen to say "nothing is committed" for a moment after a broker's crash (ADR 013); the group also forgets
offsets after a week without members. Only a position that is none of ours, as Kafka's reset tool writes it, is taken
from the group all the same.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from clients.cluster import Cluster
from clients.group import committed_positions
from clients.kafka import Connection, reading
from consumers.engine.limits import Limits
from consumers.engine.offsets import Committed, Position, decode, position_key, unpack
from consumers.engine.report import Report
from consumers.engine.table import Table
from consumers.engine.task import Task

_MARKER_OFFSETS = 1
_POLL_MS = 200


class Found(NamedTuple):
    """Where a task begins: its committed positions, and the first offset of every partition."""

    positions: dict[TopicPartition, Position]
    starts: dict[TopicPartition, int]


class Positions:
    """Reads where tasks stand. The last owner has to be fenced before: then nothing moves any more.

    Every method may raise KafkaError, TimeoutError and UnknownProgressError.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, connection: Connection, cluster: Cluster, limits: Limits, report: Report
    ) -> None:
        self._consumer = consumer
        self._connection = connection
        self._cluster = cluster
        self._limits = limits
        self._report = report

    async def newest(self, task: Task) -> Mapping[TopicPartition, Committed]:
        """What is committed for a task that knows what was when it looked last; by whomever."""
        async with asyncio.timeout(self._limits.request_timeout_seconds):
            if task.data is None:
                return await self._of_group(task)
            return {**(task.committed or {}), **await self._written_since(task, task.data)}

    async def find(self, task: Task, data: Table | None) -> Found:
        """Where to begin with nothing in memory, with a state (`data`) that is up to date, if the task has one."""
        sources = list(task.sources)
        async with asyncio.timeout(self._limits.request_timeout_seconds):
            of_group = await self._of_group(task)
            starts = await self._consumer.beginning_offsets(sources)
            ends = await self._consumer.end_offsets(sources)
        positions: dict[TopicPartition, Position] = {}
        for source in sources:
            position = self._choose(task, source, of_group.get(source), data)
            if position is not None and position.next_offset > ends[source]:
                self._report.beyond_end(task, source.topic, position.next_offset)
            elif position is not None:
                positions[source] = position
        return Found(positions, starts)

    def _choose(
        self, task: Task, source: TopicPartition, of_group: Committed | None, data: Table | None
    ) -> Position | None:
        by_group = decode(*of_group) if of_group is not None else None
        if by_group is not None and not by_group.marker:
            return by_group
        written = data.get(position_key(source.topic)) if data is not None else None
        if written is None:
            return by_group
        position = decode(*unpack(written))
        if position != by_group:
            self._report.group_differs(task, source.topic, position.next_offset, of_group)
        return position

    async def _of_group(self, task: Task) -> dict[TopicPartition, Committed]:
        found = await committed_positions(self._consumer, task.sources)
        return {source: (position.offset, position.metadata) for source, position in found.items()}

    async def _written_since(self, task: Task, data: Table) -> dict[TopicPartition, Committed]:
        """The positions in the changelog after what is known of it."""
        known, end = data.position, await self._cluster.stable_end(data.changelog)
        if end <= known + _MARKER_OFFSETS:  # nothing but the end of the last transaction
            return {}
        newest = await self._read(data.changelog, known, end)
        return {source: unpack(value) for source in task.sources if (value := newest.get(position_key(source.topic)))}

    async def _read(self, changelog: TopicPartition, start: int, end: int) -> dict[bytes, bytes]:
        """The newest values of a changelog's keys within a span."""
        newest: dict[bytes, Any] = {}
        async with reading(self._connection, [changelog]) as consumer:
            consumer.seek(changelog, start)
            while await consumer.position(changelog) < end:
                fetched = await consumer.getmany(changelog, timeout_ms=_POLL_MS)
                newest |= {record.key: record.value for record in fetched.get(changelog, ())}
        return newest
