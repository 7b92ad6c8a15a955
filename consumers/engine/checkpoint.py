"""The checkpoint: one transaction of one task."""

import asyncio
import time

from clients.cluster import Cluster
from consumers.engine.limits import Limits
from consumers.engine.membership import Membership
from consumers.engine.report import Report
from consumers.engine.task import Task
from producers.output import build_batches
from producers.transaction import TransactionalProducer
from schemas.errors import TransactionFailedError


class Checkpointer:
    """Commits what a task has finished: outputs, dead letters, offsets with progress; all of it or nothing."""

    def __init__(
        self,
        cluster: Cluster,
        producer: TransactionalProducer,
        group_id: str,
        *,
        membership: Membership,
        limits: Limits,
        report: Report,
    ) -> None:
        self._cluster = cluster
        self._membership = membership
        self._producer = producer
        self._group_id = group_id
        self._limits = limits
        self._report = report
        self._number = 0
        self._save_again_at = 0.0

    async def fence(self) -> None:
        """End whatever another owner, or a failed checkpoint, left open. Raises TransactionFailedError, KafkaError.

        Only as a member of the group: who was expelled and does not know would end the work of whom it gave the task.
        """
        seconds = self._limits.lease_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._membership.confirm()
        except TimeoutError as exc:
            raise TransactionFailedError(f"{self._group_id}: no answer from Kafka within {seconds:g} s") from exc
        await self._producer.start(within_seconds=seconds)

    async def checkpoint(self, task: Task) -> bool:
        """Commit the task's finished work; False when there is nothing to commit, or when it has to wait.

        1. Take what is finished and write the progress of every partition that moved, under a new marker. If a
           progress map does not fit into Kafka's metadata, wait: the map is never cut. It fits again when the first
           unfinished event, which holds the committed offset, is done.
        2. From here on new results belong to the next checkpoint; these are kept until the outcome is known.
        3. Pack the outputs into batches, one transaction's worth.
        4. Send and commit them with the offsets.
        5. Confirm, and write the committed state to disk.

        Raises FencedError or TransactionFailedError; the task has to be opened again then, and what was not
        committed is in its next checkpoint. Raises StoreError: the task has to start over from what is in Kafka.
        """
        self._number += 1
        pending = task.prepare(f"{self._producer.incarnation}.{self._number:x}")
        if not pending.offsets:
            task.dirty.clear()
            self._save(task)
            return False
        longest = max(len(metadata) for _, metadata in pending.offsets.values())
        if longest > self._limits.metadata_max_chars:
            self._report.held_back(task, longest)
            self._save(task)
            return False
        started_at = time.perf_counter()
        with task.permit.committing():
            records = [*pending.outputs, *task.begin(pending)]
            counts = {topic: await self._cluster.partition_count(topic) for topic in {r.topic for r in records}}
            batches = build_batches(
                records, partition_count=counts.__getitem__, max_bytes=self._cluster.max_message_bytes
            )
            ends = await self._producer.commit(batches, pending.offsets, self._group_id)
        task.confirm(ends)
        self._save(task)
        task.problem = None
        self._report.checkpoint(task, len(pending.outputs), time.perf_counter() - started_at)
        return True

    def _save(self, task: Task) -> None:
        """Write what is committed to disk. While that is full the task goes on, with its newest state in memory."""
        was_busy = task.unwritten is not None
        if was_busy and time.monotonic() < self._save_again_at:
            task.dirty.set()
            return
        task.save()
        if task.unwritten is not None:
            self._save_again_at = time.monotonic() + self._limits.recovery_backoff_seconds
            task.dirty.set()
            if not was_busy:
                self._report.store_busy(task, task.unwritten)
        elif was_busy:
            self._report.store_took(task)
