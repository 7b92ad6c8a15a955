"""Replays of a dead letter whose submission is unfinished: what is published is news, and never less than is out.

The real flow on the engine's own parts, in memory, so that days can pass.
"""

import json
from datetime import timedelta
from typing import Any

import httpx2
from aiokafka import ConsumerRecord, TopicPartition

from agents.grading.agent import GradingAgent
from clients.clock import FakeClock
from clients.content_service import ContentService
from clients.llm import Answer, Prompt
from consumers.engine.context import Context
from consumers.engine.failure import Retry, attempt
from consumers.engine.limits import Limits
from consumers.engine.table import Table
from consumers.engine.task_state import TaskState
from consumers.exam.flow import ExamConsumer, ExamPolicy
from consumers.topics import EVALUATION, EXAM_SUBMITTED
from producers.dead_letter import ORIGINAL_PREFIX
from schemas.errors import ModelMalformedError
from tests.exams import graded_question, made_exam
from tests.unit.dict_store import DictStore
from tests.unit.tasks import task_of

MAX_BYTES = 2**20
ONE_ATTEMPT = Limits(max_attempts=1)
EXAM = made_exam([("a", "mcq", 3), ("b", "numeric", 2), ("c", "short_text", 1)])


class Model:
    """Grades, but not the batches with questions that it fails at."""

    name = "fake/model"

    def __init__(self) -> None:
        self.failing: set[int] = set()

    async def generate(self, request: Prompt) -> Answer:
        data = json.loads(request.data.removeprefix("<data>\n").removesuffix("\n</data>"))
        questions = data.get("questions", [])
        if self.failing.intersection(question["number"] for question in questions):
            raise ModelMalformedError("no use")
        graded = {"questions": [graded_question(question, question["marks"]) for question in questions]}
        return Answer(text=json.dumps(graded), model=self.name, finish_reason="STOP")


class World:
    """One worker's exams, and what came out."""

    def __init__(self) -> None:
        self.model, self.clock = Model(), FakeClock()
        content = ContentService(httpx2.AsyncClient(), base_url="http://unused", secret=None, clock=self.clock)
        agent, policy = GradingAgent(self.model), ExamPolicy(grade_offline_in_an_outage=False)
        self._flow = ExamConsumer(
            content=content, agent=agent, clock=self.clock, policy=policy, max_event_bytes=MAX_BYTES
        ).flow()
        self._task = task_of(self._flow.sources)
        self._task.data, self._task.seen = (Table(TopicPartition(t, 0), DictStore()) for t in self._flow.changelogs)
        self._task.move_to(TaskState.ACTIVE)
        self._offset = 0

    async def handle(self, *, failing: set[int] | None = None, replayed: bool = True) -> list[tuple[str, int, int]]:
        """One attempt at the submission; status, revision and graded questions of what was published."""
        self.model.failing = failing or set()
        self._offset += 1
        value, headers = json.dumps(EXAM).encode(), [(f"{ORIGINAL_PREFIX}x", b"1")] if replayed else []
        record: ConsumerRecord[Any, Any] = ConsumerRecord(
            EXAM_SUBMITTED, 0, self._offset, 0, 0, b"s1", value, None, 2, len(value), tuple(headers)
        )
        (lane,) = self._task.accept(TopicPartition(EXAM_SUBMITTED, 0), [record])
        context = Context(lane, lambda _topic: MAX_BYTES, self._flow.version)
        outcome = await attempt(self._flow, lane, context, ONE_ATTEMPT, partitions=1)
        assert not isinstance(outcome, Retry), outcome.error
        self._task.finish(lane, outcome.outputs, context.writes)
        outputs, self._task.outputs = self._task.outputs, []
        self._task.begin(self._task.prepare("marker"))
        self._task.confirm()
        self._task.save()
        evaluations = [json.loads(output.value or b"") for output in outputs if output.topic == EVALUATION]
        return [(e["status"], e["revision"], e["progress"]["questions_graded"]) for e in evaluations]


async def test_a_replay_that_fails_too_publishes_only_what_is_news() -> None:
    world = World()

    assert await world.handle(failing={4, 6}, replayed=False) == [("partial", 1, 3)]
    assert await world.handle(failing={4, 6}) == []
    assert await world.handle(failing={4}) == [("partial", 2, 4)]
    assert await world.handle(failing={4}) == []
    assert await world.handle() == [("completed", 3, 6)]


async def test_a_replay_that_comes_when_nothing_is_kept_any_more_publishes_nothing_smaller() -> None:
    world = World()
    assert await world.handle(failing={6}, replayed=False) == [("partial", 1, 5)]

    world.clock.advance(timedelta(days=8).total_seconds())
    assert await world.handle(failing={4, 6}) == []
    assert await world.handle(failing=set(range(1, 7))) == []
    world.clock.advance(timedelta(days=8).total_seconds())
    assert await world.handle(failing=set(range(1, 7))) == []
    assert await world.handle() == [("completed", 2, 6)]


async def test_what_failed_entirely_is_not_said_twice() -> None:
    world = World()
    everything = set(range(1, 7))

    assert await world.handle(failing=everything, replayed=False) == [("failed", 1, 0)]
    assert await world.handle(failing=everything) == []
    assert await world.handle(failing={4}) == [("partial", 2, 4)]
