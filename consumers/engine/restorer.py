"""The tasks' stores of one flow: opened and brought up to date when a task comes, closed when it goes."""

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

from aiokafka import TopicPartition

from clients.kafka import Connection, obey_cancellation
from clients.rocks import RocksStore
from consumers.engine.flow import Flow
from consumers.engine.report import Report
from consumers.engine.restore import restore
from consumers.engine.steps import find_journals
from consumers.engine.stores import Stores, TaskStores
from consumers.engine.table import Table
from consumers.engine.task import Task
from schemas.errors import StoreBusyError, StoreDamagedError, StoreError


class Restorer:
    """Makes the tables of a flow's tasks."""

    def __init__(self, flow: Flow[Any], stores: Stores, connection: Connection, report: Report) -> None:
        self._flow = flow
        self._stores = stores
        self._connection = connection
        self._report = report
        self._open: dict[int, TaskStores] = {}
        self._closing: dict[int, asyncio.Future[None]] = {}

    async def restore(self, task: Task) -> tuple[Table, Table]:
        """The task's state and seen ids, up to the end of their changelogs. The last owner has to be fenced before.

        Raises KafkaError or StoreError; the task must not be active then.
        """
        self._stores.sweep()
        self._stores.returned(self._flow.group_id, task.partition)
        try:
            opened = await self._up_to_date(task)
        except (ValueError, StoreDamagedError) as exc:
            await self.wipe(task, str(exc))
            opened = await self._up_to_date(task)
        data = Table(TopicPartition(self._flow.state_topic, task.partition), opened.state)
        find_journals(data, self._flow.version)
        return data, Table(TopicPartition(self._flow.seen_topic, task.partition), opened.seen)

    def leave(self, task: Task) -> None:
        """The task has gone to another worker, or this one stops."""
        self.close(task)
        self._stores.left(self._flow.group_id, task.partition)

    async def mend(self, task: Task, error: StoreError) -> None:
        """Do to the task's stores what helps after an error, so that the next restore can."""
        if isinstance(error, StoreDamagedError):
            await self.wipe(task, str(error))
        elif not isinstance(error, StoreBusyError):
            self.close(task)

    async def wipe(self, task: Task, reason: str) -> None:
        """The task's stores are of no use: the next restore builds them anew."""
        self._report.store_wiped(task, self._flow.group_id, reason)
        self.close(task)
        await self._closed(task.partition)
        self._stores.wipe(self._flow.group_id, task.partition)

    def close(self, task: Task) -> None:
        """Begin to close the task's stores, whatever state they are in."""
        self._close(task.partition)

    async def close_all(self) -> None:
        """Close all stores: the worker ends, in good order or not."""
        for partition in list(self._open):
            self._close(partition)
        for partition in list(self._closing):
            await self._closed(partition)

    def _close(self, partition: int) -> None:
        """In a thread: a store on a full disk takes seconds to give up, and heartbeats have to go on."""
        if (opened := self._open.pop(partition, None)) is not None:
            self._closing[partition] = asyncio.get_running_loop().run_in_executor(None, _close_quietly, opened)

    async def _closed(self, partition: int) -> None:
        while (closing := self._closing.get(partition)) is not None:
            await asyncio.shield(closing)
            if self._closing.get(partition) is closing:
                del self._closing[partition]

    async def _opened(self, task: Task) -> TaskStores:
        await self._closed(task.partition)
        if task.partition not in self._open:
            self._open[task.partition] = self._stores.open(self._flow.group_id, task.partition)
        return self._open[task.partition]

    async def _up_to_date(self, task: Task) -> TaskStores:
        opened = await self._opened(task)
        await self._bring_up(task, self._flow.state_topic, opened.state)
        await self._bring_up(task, self._flow.seen_topic, opened.seen)
        return opened

    async def _bring_up(self, task: Task, topic: str, store: RocksStore) -> None:
        started_at = time.perf_counter()
        told = partial(self._tell, task, topic)
        records = await restore(self._connection, TopicPartition(topic, task.partition), store, told)
        obey_cancellation()
        self._report.restored(task, topic, records, time.perf_counter() - started_at)

    def _tell(self, task: Task, topic: str, share: float) -> None:
        task.problem = f"restoring {topic}: {share:.0%}"
        self._report.restoring(task, topic, share)


def _close_quietly(stores: TaskStores) -> None:
    with suppress(StoreError):
        stores.close()
