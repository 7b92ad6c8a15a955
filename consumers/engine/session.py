"""One membership of the group: a consumer, the tasks it is given, the workers; polls until it is told to stop."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from clients.cluster import Cluster
from clients.group import stay_out
from clients.kafka import Connection, ConsumerDiedError, check_consumer, stop_consumer
from consumers.engine.assignment import Assignment
from consumers.engine.buffer import Buffer
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.counts import count_problem
from consumers.engine.driver import Driver
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.membership import Membership
from consumers.engine.pace import Pace
from consumers.engine.permit import Permit
from consumers.engine.poller import Poller
from consumers.engine.positions import Positions
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from consumers.engine.task import Task
from consumers.engine.task_state import TaskState
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
            consumer, lease_seconds=limits.lease_seconds, reunion_seconds=limits.reunion_seconds
        )
        self._positions = Positions(consumer, connection, cluster, limits, report)
        self._assignment: Assignment | None = None
        self._poller = Poller(consumer, self._buffer, self._pool.submit, limits, report)

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
        split = [self._split_reason()] if self._assignment.split else []
        silence = [reason] if (reason := self._silence()) is not None else []
        of_tasks = [reason for task in self.tasks if (reason := task.reason) is not None]
        return [*self._poller.reasons(), *split, *silence, *of_tasks]

    def _silence(self) -> str | None:
        """What keeps steps from beginning though their tasks are ours, if anything does."""
        if self._membership.lease.holds or not any(task.state is TaskState.ACTIVE for task in self.tasks):
            return None
        return f"the group {self._flow.group_id} does not say that we are in it: no step begins until it does"

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
            async with asyncio.TaskGroup() as workers, asyncio.TaskGroup() as group:
                self._pool.start(workers)
                try:
                    await self._run(group, stop)
                finally:
                    self._pool.stop()  # what else cancels a worker, it takes for a handler's bug, and tries again
        finally:
            if self._assignment is not None:
                self._assignment.close()
            await stop_consumer(self._consumer)

    async def _run(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        self._assignment = assignment = self._new_assignment(group)
        self._consumer.subscribe(list(self._flow.sources), listener=assignment)
        working = group.create_task(self._work(assignment))
        stopping = group.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.cancelled():  # by aiokafka's own routine: nobody else did
            self._membership.check()
            raise ConsumerDiedError("the consumer's background routine was cancelled")
        working.cancel()
        await assignment.finish()
        stay_out(self._consumer)
        assignment.close()
        self._pool.stop()
        await stop_consumer(self._consumer)

    def _new_assignment(self, group: asyncio.TaskGroup) -> Assignment:
        flow, cluster, limits = self._flow, self._cluster, self._limits

        def new_driver(partition: int) -> Driver:
            producer = TransactionalProducer(
                cluster, f"{flow.group_id}-{partition}", timeout_seconds=limits.transaction_timeout_seconds
            )
            pace = Pace(
                interval_seconds=limits.commit_interval_seconds, patience_seconds=limits.commit_patience_seconds
            )
            permit = Permit(self._membership.lease, pace)
            return Driver(
                Task(partition, flow.sources, self._buffer, permit),
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
        """Join the group and poll."""
        await self._consumer.start()
        while True:
            assignment.check()
            try:
                self._membership.check()
                check_consumer(self._consumer)
                self._report.group_silent(self._silence())
                await self._poller.poll(assignment)
            except ConsumerDiedError:
                raise
            except KafkaError as exc:
                self._report.poll_failed(exc)
                await self._membership.look()
                assignment.rewind()
                self._poller.go_one_by_one()
                await asyncio.sleep(self._limits.recovery_backoff_seconds)
            await asyncio.sleep(0)
