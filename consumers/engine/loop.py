"""The engine of one flow: keeps a session with Kafka going until it is told to stop, and says how it is."""

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from clients.assignor import steady_assignor
from clients.cluster import Cluster
from clients.kafka import Connection
from consumers.engine.counts import count_problem, shared_topics
from consumers.engine.flow import Flow
from consumers.engine.global_table import GlobalTable
from consumers.engine.limits import Limits
from consumers.engine.mark import mark_of
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from consumers.engine.session import Session
from consumers.engine.stores import Stores
from consumers.engine.task import UNREAD, Task
from consumers.engine.task_state import TaskState
from consumers.observability import Metrics
from schemas.errors import InstanceTakenError, StoreError, first_error

_ON_DISK = UNREAD - 1
_HEARTBEATS_PER_SESSION = 6


class Engine:
    """Runs one flow in this process until it is told to stop.

    `run` returns after a stop in good order. It raises InstanceTakenError when another process runs under the
    worker's instance id, and else only for a bug in the engine itself: what goes wrong with Kafka, a broker that is
    away included, is waited out and shown by `reasons`.
    """

    def __init__(
        self,
        flow: Flow[Any],
        *,
        connection: Connection,
        cluster: Cluster,
        limits: Limits,
        metrics: Metrics,
        stores: Stores | None = None,
        needs: Sequence[GlobalTable[Any]] = (),
        group_instance_id: str | None = None,
    ) -> None:
        """A stateful flow needs `stores`. `needs` are the global tables that its handler uses."""
        if flow.stateful and stores is None:
            raise ValueError(f"flow {flow.name} is stateful and has nowhere to keep its state")
        self._flow = flow
        self._connection = connection
        self._cluster = cluster
        self._limits = limits
        self._needs = needs
        self._group_instance_id = group_instance_id
        self._assignor = steady_assignor(group_instance_id or uuid.uuid4().hex, self._held)
        flow_metrics = metrics.flow(flow.name)
        flow_metrics.watch(
            in_flight=lambda: sum(task.running for task in self._tasks),
            buffered_bytes=lambda: self.buffered_bytes,
            waiting_events=lambda: sum(task.waiting for task in self._tasks),
            tasks={state.name.lower(): partial(self._count, state) for state in TaskState},
        )
        self._report = Report(flow.name, flow_metrics)
        self._stores = stores
        self._restorer = Restorer(flow, stores, connection, self._report) if flow.stateful and stores else None
        self._session: Session | None = None
        self._problem: str | None = None
        self._partitions = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let what is in flight end, commit, and leave the group."""
        while not stop.is_set():
            self._problem = self._missing_table() or await self._topic_problem()
            if self._problem is None:
                await self._run_session(stop)
            else:
                loading = [table.reason for table in self._needs if table.is_loading]
                self._report.waits(self._problem, is_usual=self._problem in loading)
            if self._problem is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.recovery_backoff_seconds):
                        await stop.wait()

    def reasons(self) -> list[str]:
        """Why the engine is not ready; empty when it is."""
        if self._problem is not None:
            return [f"{self._flow.name}: {self._problem}"]
        if self._session is None:
            return [f"{self._flow.name}: starting"]
        return [f"{self._flow.name}: {reason}" for reason in self._session.reasons()]

    @property
    def buffered_bytes(self) -> int:
        """Bytes accepted or produced, and not finished with."""
        return self._session.buffered_bytes if self._session is not None else 0

    @property
    def _tasks(self) -> Sequence[Task]:
        return self._session.tasks if self._session is not None else ()

    def _count(self, state: TaskState) -> int:
        return sum(task.state is state for task in self._tasks)

    async def _run_session(self, stop: asyncio.Event) -> None:
        """One session; what ends it before its time is Kafka's, and is a reason to wait for the next one."""
        try:
            await self._cluster.load_limits(self._flow.targets)
            await self._cluster.learn(self._flow.targets)
            self._session = Session(
                self._flow,
                consumer=self._consumer(),
                connection=self._connection,
                cluster=self._cluster,
                limits=self._limits,
                report=self._report,
                restorer=self._restorer,
                partitions=self._partitions,
            )
            await self._session.run(stop)
        except* (KafkaError, OSError, TimeoutError) as errors:
            self._problem = f"lost Kafka: {first_error(errors)!r}"
            self._report.waits(self._problem)
        except* InstanceTakenError as errors:
            raise first_error(errors) from None
        finally:
            if self._restorer is not None:
                await self._restorer.close_all()

    def _held(self) -> dict[int, int]:
        """What the worker brings along when it joins: what is only on its disk counts less than anything in memory."""
        stores = self._stores if self._flow.stateful else None
        on_disk = dict.fromkeys(stores.present(self._flow.group_id), _ON_DISK) if stores is not None else {}
        return on_disk | (self._session.held if self._session is not None else {})

    def _consumer(self) -> AIOKafkaConsumer:
        session_ms = int(self._limits.session_timeout_seconds * 1000)
        return self._connection.consumer(
            group_id=self._flow.group_id,
            partition_assignment_strategy=(self._assignor,),
            group_instance_id=self._group_instance_id,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // _HEARTBEATS_PER_SESSION,
            rebalance_timeout_ms=int(self._limits.rebalance_timeout_seconds * 1000),
            fetch_max_wait_ms=self._limits.fetch_wait_ms,
        )

    def _missing_table(self) -> str | None:
        return next((reason for table in self._needs if (reason := table.reason) is not None), None)

    async def _topic_problem(self) -> str | None:
        """What is wrong with the flow's topics; None when they exist, have one count, and hold the state we know."""
        try:
            counts = await self._cluster.partition_counts({*self._flow.sources, *self._flow.targets})
            missing = sorted(topic for topic, count in counts.items() if not count)
            if missing:
                return f"topics do not exist: {', '.join(missing)}; run `pathstream topics create`"
            shared = {topic: counts[topic] for topic in shared_topics(self._flow)}
            self._partitions = shared[self._flow.repartition_topic]
            return count_problem(self._flow, shared) or await self._state_problem(shared)
        except (KafkaError, OSError, TimeoutError) as exc:
            return f"Kafka does not say which topics there are: {type(exc).__name__}"
        except StoreError as exc:
            return str(exc)

    async def _state_problem(self, shared: Mapping[str, int]) -> str | None:
        """Whether the state was written for another partition count; what is on disk of another log is removed."""
        if self._stores is None or not self._flow.stateful:
            return None
        async with asyncio.timeout(self._limits.request_timeout_seconds):
            mark = await mark_of(self._connection, self._flow.state_topic, self._partitions)
        if (problem := count_problem(self._flow, shared, mark.partitions)) is None:
            self._stores.keep_only(self._flow.group_id, mark.log)
        return problem
