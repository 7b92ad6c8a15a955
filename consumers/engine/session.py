"""One membership of the group: a consumer, the tasks it is given, the workers; polls until it is told to stop."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from clients.cluster import Cluster
from clients.kafka import Connection, ConsumerDiedError, check_consumer, stop_consumer
from consumers.engine.assignment import Assignment
from consumers.engine.buffer import Buffer
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.counts import count_problem
from consumers.engine.driver import Driver
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.membership import Membership
from consumers.engine.offsets import PassedOffsetError
from consumers.engine.positions import Positions
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from consumers.engine.task import Task
from consumers.engine.workers import WorkerPool
from producers.transaction import TransactionalProducer


class Session:
    """Runs once. `run` returns after a stop in good order, with everything committed that was finished.

    Raises an ExceptionGroup: of KafkaErrors when the consumer could not start or is beyond help; another session may
    work. Of InstanceTakenError when another process has the worker's place. Anything else in it is a bug.
    """

    def __init__(
        self,
        flow: Flow[Any],
        *,
        consumer: AIOKafkaConsumer,
        connection: Connection,
        cluster: Cluster,
        limits: Limits,
        report: Report,
        restorer: Restorer | None,
        partitions: int,
    ) -> None:
        """Each of the flow's topics has so many `partitions`, and had them when its state was begun."""
        self._flow = flow
        self._consumer = consumer
        self._cluster = cluster
        self._limits = limits
        self._report = report
        self._restorer = restorer
        self._buffer = Buffer(limits.max_buffered_bytes, limits.low_water)
        self._pool = WorkerPool(flow, limits, report, cluster.max_message_bytes, partitions)
        self._partitions = partitions
        self._membership = Membership(
            consumer, session_seconds=limits.session_timeout_seconds, reunion_seconds=limits.reunion_seconds
        )
        self._positions = Positions(consumer, connection, cluster, limits, report)
        self._assignment: Assignment | None = None
        self._unreadable: dict[TopicPartition, str] = {}

    @property
    def tasks(self) -> Sequence[Task]:
        """All tasks that are ours, or may come back."""
        return self._assignment.tasks if self._assignment is not None else []

    @property
    def held(self) -> dict[int, int]:
        """What `Assignment.held` says."""
        return self._assignment.held if self._assignment is not None else {}

    @property
    def buffered_bytes(self) -> int:
        """Bytes accepted or produced, and not finished with."""
        return self._buffer.bytes

    def reasons(self) -> list[str]:
        """Why the session is not ready; empty when it is."""
        if self._assignment is None or not self._assignment.joined:
            return [f"not joined the group {self._flow.group_id} yet"]
        unreadable = [f"{place.topic}-{place.partition}: {error}" for place, error in self._unreadable.items()]
        split = [self._split_reason()] if self._assignment.split else []
        return [*unreadable, *split, *(reason for task in self.tasks if (reason := task.reason) is not None)]

    def _split_reason(self) -> str:
        problem = count_problem(self._flow, self._counts(), self._partitions)
        return problem or "the group gives some topics' partitions to others: are there workers of another version?"

    def _counts(self) -> dict[str, int]:
        """How many partitions the topics have that we read, as far as the consumer knows."""
        known = {topic: self._consumer.partitions_for_topic(topic) for topic in self._flow.sources}
        return {topic: len(found) if found else self._partitions for topic, found in known.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Join the group and work until `stop` is set."""
        try:
            async with asyncio.TaskGroup() as group:
                self._pool.start(group)
                self._assignment = assignment = self._new_assignment(group)
                self._consumer.subscribe(list(self._flow.sources), listener=assignment)
                working = group.create_task(self._work(assignment))
                stopping = group.create_task(stop.wait())
                try:
                    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    self._pool.stop()  # the group is falling apart: no worker may outlive it
                    raise
                if working.cancelled():  # by aiokafka's own routine: nobody else did
                    self._pool.stop()
                    self._membership.check()
                    raise ConsumerDiedError("the consumer's background routine was cancelled")
                working.cancel()
                await assignment.finish()
                assignment.close()
                self._pool.stop()
                await self._stop_consumer()
        finally:
            if self._assignment is not None:
                self._assignment.close()
            await self._stop_consumer()

    async def _stop_consumer(self) -> None:
        await stop_consumer(self._consumer, seconds=self._limits.request_timeout_seconds)

    def _new_assignment(self, group: asyncio.TaskGroup) -> Assignment:
        flow, cluster, limits = self._flow, self._cluster, self._limits

        def new_driver(partition: int) -> Driver:
            producer = TransactionalProducer(
                cluster, f"{flow.group_id}-{partition}", timeout_seconds=limits.transaction_timeout_seconds
            )
            return Driver(
                Task(partition, flow.sources, self._buffer, self._membership.lease),
                flow=flow,
                consumer=self._consumer,
                cluster=cluster,
                limits=limits,
                report=self._report,
                checkpointer=Checkpointer(
                    cluster,
                    producer,
                    flow.group_id,
                    membership=self._membership,
                    limits=limits,
                    report=self._report,
                ),
                positions=self._positions,
                restorer=self._restorer,
                submit=self._pool.submit,
            )

        return Assignment(
            counts=self._counts,
            partitions=self._partitions,
            limits=limits,
            report=self._report,
            membership=self._membership,
            group=group,
            new_driver=new_driver,
        )

    async def _work(self, assignment: Assignment) -> None:
        """Join the group and poll. After a failed poll every partition is polled alone until all can be read again."""
        await self._consumer.start()
        one_by_one = False
        while True:
            assignment.check()
            try:
                self._membership.check()
                check_consumer(self._consumer)
                one_by_one = await self._poll(assignment, one_by_one=one_by_one)
            except ConsumerDiedError:
                raise
            except KafkaError as exc:
                self._report.poll_failed(exc)
                await self._membership.look()
                assignment.rewind()
                one_by_one = True
                await asyncio.sleep(self._limits.recovery_backoff_seconds)
            await asyncio.sleep(0)

    async def _poll(self, assignment: Assignment, *, one_by_one: bool) -> bool:
        """Take what is there; while there is no room, of tasks that hold less than their share. Gives `one_by_one`."""
        has_room = self._buffer.room.is_set()
        share = math.inf if has_room else self._buffer.share(len(assignment.tasks) or 1)
        partitions = assignment.pollable(holding_less_than=share)
        if partitions and one_by_one:
            return await self._poll_each(assignment, partitions)
        seconds = self._limits.poll_seconds if has_room else 0.0
        fetched = await self._getmany(*partitions, seconds=seconds) if partitions else {}
        self._accept(assignment, fetched)
        if partitions and has_room and not fetched:
            await assignment.settle()
        elif not fetched:
            await self._pause(has_room=has_room)
        return one_by_one

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
                self._pool.submit(lane)
