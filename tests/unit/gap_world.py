"""The real skills-gap flow on the engine's own parts, in memory: no Kafka, one event after the other."""

import json
from contextlib import AsyncExitStack
from typing import Any, Self

import httpx2
from aiokafka import ConsumerRecord, TopicPartition

from clients.clock import FakeClock
from clients.cluster import Cluster
from clients.content_service import ContentService
from clients.kafka import Connection
from clients.skills_engine import SkillsEngine
from consumers.engine.context import Context
from consumers.engine.failure import Retry, attempt
from consumers.engine.limits import Limits
from consumers.engine.table import Table
from consumers.engine.task_state import TaskState
from consumers.flows import Parts, skills_gap
from consumers.settings import Settings
from consumers.skills_gap.shelf import Shelf
from consumers.topics import COMPANY_UPDATED
from producers.output import Output
from schemas.gap import competency_key
from tests.unit.dict_store import DictStore
from tests.unit.tasks import task_of

LIMITS = Limits()
MAX_BYTES = 2**20
RESOURCES = [
    {"resourceId": "res-hooks", "name": "Hooks in an evening", "type": "video", "conceptId": "hooks"},
    {"resourceId": "res-grid", "name": "Grid by example", "type": "article", "conceptId": "grid"},
]


class Neighbours:
    """Content service and Skills Engine behind their real clients; an async context shared by many worlds."""

    def __init__(self, taught: list[str]) -> None:
        self.taught = taught
        """What the Skills Engine says each competency is made of."""
        self.engine_is_away = False
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        http = await self._stack.enter_async_context(
            httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer), base_url="http://test")
        )
        clock = FakeClock()
        self.connection = Connection(bootstrap_servers="127.0.0.1:1")
        self.cluster = Cluster(self.connection)
        self.content = ContentService(http, base_url="http://content", secret=None, clock=clock)
        self.skills_engine = SkillsEngine(http, base_url="http://engine", secret=None, clock=clock)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "content":
            return httpx2.Response(200, json=RESOURCES if request.url.path.endswith("/resources") else {"grid": 0.9})
        if self.engine_is_away:
            return httpx2.Response(400)
        return httpx2.Response(200, json=dict.fromkeys(json.loads(request.content)["competencies"], self.taught))


class World:
    """One worker's view of one partition."""

    def __init__(self, neighbours: Neighbours, settings: Settings) -> None:
        self.clock = FakeClock()
        self.neighbours = neighbours
        neighbours.engine_is_away = False
        job = skills_gap(
            Parts(
                settings=settings,
                connection=neighbours.connection,
                cluster=neighbours.cluster,
                content=neighbours.content,
                skills_engine=neighbours.skills_engine,
                model=None,
                clock=self.clock,
            )
        )
        self._flow = job.flow
        (self._companies,) = job.needs
        self._stores = [(topic, DictStore()) for topic in job.flow.changelogs]
        self._task = task_of(job.flow.sources)
        self._task.move_to(TaskState.ACTIVE)
        self._offset = 0
        self.restart()

    async def handle(self, topic: str, value: bytes, user: str, *, commit: bool) -> list[Output]:
        """One event, from its bytes to what it leaves behind; with `commit` a checkpoint follows."""
        (lane,) = self._task.accept(TopicPartition(topic, 0), [self._record(topic, value, user.encode())])
        context = Context(lane, lambda _topic: MAX_BYTES, self._flow.version)
        outcome = await attempt(self._flow, lane, context, LIMITS, partitions=1)
        assert not isinstance(outcome, Retry), outcome.error
        self._task.finish(lane, outcome.outputs, context.writes)
        self._context = context
        outputs, self._task.outputs = self._task.outputs, []
        if commit:
            self.commit()
        return outputs

    def company(self, company_id: str, row: dict[str, Any] | None) -> None:
        """A record of the compacted topic, as the global table's reader hands it on."""
        value = None if row is None else json.dumps(row).encode()
        record = self._record(COMPANY_UPDATED, value, company_id.encode())
        self._companies._apply(record, self._companies._rows)

    def commit(self) -> None:
        """A checkpoint that gets through."""
        self._task.begin(self._task.prepare("marker"))
        self._task.confirm()
        self._task.save()

    def restart(self) -> None:
        """Another worker takes over: it knows what was committed."""
        self.commit()
        tables = [Table(TopicPartition(topic, 0), store) for topic, store in self._stores]
        self._task.data, self._task.seen = tables

    def remembered(self, competency: str) -> Shelf:
        """What is in the state of the last event's learner."""
        return Shelf(self._context, competency_key(competency))

    def left_over(self) -> list[bytes]:
        """Journals of events that are done."""
        self.commit()
        return [key for key in self._stores[0][1].values if key.startswith(b"j")]

    def _record(self, topic: str, value: bytes | None, key: bytes) -> ConsumerRecord[Any, Any]:
        self._offset += 1
        size = len(value or b"")
        return ConsumerRecord(topic, 0, self._offset, 0, 0, key, value, None, len(key), size, ())
