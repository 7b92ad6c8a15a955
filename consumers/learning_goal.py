"""The learning-goal flow: a learner states a goal, a learning path comes out (seed 004)."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

import structlog
from pydantic import BaseModel

from agents.learning_path import LearningPathAgent
from agents.profile import profile_of, recommendations_for
from clients.clock import Clock
from clients.content_service import ContentService
from clients.llm.study_texts import wished_topics
from consumers.engine.context import Context, Emission
from consumers.engine.flow import Flow
from consumers.observability import log_events
from consumers.topics import LEARNING_GOAL, LEARNING_GOAL_GROUP, LEARNING_PATH, PATH_PROGRESS
from schemas import codec
from schemas.decisions import PathPlan
from schemas.errors import ContentServiceError, EventError, OutputTooLargeError
from schemas.events import LearningGoalEvent
from schemas.outputs import LearningPathRecord, PathProgressRecord, ProgressStatus, Resource

Value = TypeVar("Value")

_log = structlog.get_logger("pathstream.learning_goal")


class Offer(BaseModel):
    """What the content service has for the learner; None for what it did not give."""

    resources: list[Resource] | None
    mastery: dict[str, float] | None


class PlannedPath(BaseModel):
    """A path and who planned it."""

    plan: PathPlan
    generated_by: str
    degraded: bool


class LearningGoalConsumer:
    """Validates the event, reads what the content service knows, asks the agent, publishes path and progress."""

    def __init__(
        self, *, content: ContentService, agent: LearningPathAgent, clock: Clock, max_event_bytes: int
    ) -> None:
        self._content = content
        self._agent = agent
        self._clock = clock
        self._max_event_bytes = max_event_bytes
        _log.info(log_events.LEARNING_GOAL_INITIALIZED)

    def flow(self) -> Flow[LearningGoalEvent]:
        """What the engine runs."""
        return Flow(
            name=LEARNING_GOAL,
            group_id=LEARNING_GOAL_GROUP,
            inputs=(LEARNING_GOAL,),
            outputs=(LEARNING_PATH, PATH_PROGRESS),
            decode=self.decode,
            handle=self.handle,
            give_up=self.give_up,
            stateful=True,
        )

    def decode(self, value: bytes | None, _topic: str) -> LearningGoalEvent:
        """Read the event; raises EventError."""
        try:
            event = codec.decode(LearningGoalEvent, value, max_bytes=self._max_event_bytes)
        except EventError as exc:
            _log.error(log_events.LEARNING_GOAL_INVALID, code=exc.code)
            raise
        _log.info(log_events.LEARNING_GOAL_VALIDATED, event_id=event.event_id)
        return event

    async def handle(self, event: LearningGoalEvent, context: Context) -> None:
        """Make the learner's path. What the content service withholds is gone on without, marked as degraded."""
        event_id, _ = context.identity
        _log.info(log_events.LEARNING_GOAL_PROCESSING, event_id=event_id)
        offer = await context.step(
            "offer", partial(self._read_offer, context), into=Offer, emits=[self._progress(context, 30, "offer_read")]
        )
        planned = await context.step(
            "plan", partial(self._plan, event, offer), into=PlannedPath, emits=[self._progress(context, 90, "planned")]
        )
        context.degraded = planned.degraded or offer.resources is None or offer.mastery is None
        self._emit_path(event, context, offer, planned)
        context.emit(*self._progress(context, 100, "path_created", "completed"))
        _log.info(
            log_events.LEARNING_PATH_PUBLISHED,
            event_id=event_id,
            generated_by=planned.generated_by,
            degraded=context.degraded,
        )

    def give_up(self, event: LearningGoalEvent, context: Context) -> None:
        """Tell whoever waits for the path that it does not come; the event itself becomes a dead letter."""
        _log.error(log_events.LEARNING_GOAL_FAILED, event_id=event.event_id)
        context.emit(*self._progress(context, 0, "failed", "failed"))

    async def _read_offer(self, context: Context) -> Offer:
        _, learner_id = context.identity
        async with asyncio.TaskGroup() as reads:
            resources = reads.create_task(_or_none(self._content.get_available_resources(learner_id)))
            mastery = reads.create_task(_or_none(self._content.get_user_mastery_score(learner_id)))
        return Offer(resources=resources.result(), mastery=mastery.result())

    async def _plan(self, event: LearningGoalEvent, offer: Offer) -> PlannedPath:
        goal = event.event_data
        result = await self._agent.generate_learning_path(
            goal=goal.learning_goal,
            current_level=goal.current_level,
            preferences=goal.preferences,
            available_time=goal.available_time,
            resources=offer.resources or [],
            mastery=offer.mastery or {},
        )
        return PlannedPath(plan=result.plan, generated_by=result.generated_by, degraded=result.degraded)

    def _emit_path(self, event: LearningGoalEvent, context: Context, offer: Offer, planned: PlannedPath) -> None:
        source_event_id, learner_id = context.identity
        resources, mastery, goal = offer.resources or [], offer.mastery or {}, event.event_data
        record = LearningPathRecord(
            event_id=context.output_id(LEARNING_PATH),
            source_event_id=source_event_id,
            user_id=learner_id,
            learning_goal=goal.learning_goal,
            learning_path=planned.plan,
            mastery_scores=mastery,
            available_resources=resources,
            available_resources_truncated=False,
            profile=profile_of(mastery),
            recommendations=recommendations_for(
                goal.learning_goal,
                mastery,
                resources,
                current_level=goal.current_level,
                wishes=wished_topics(goal.preferences),
            ),
            generated_at=self._clock.now(),
            generated_by=planned.generated_by,
            degraded=context.degraded,
        )
        try:
            context.emit(LEARNING_PATH, record, place=LEARNING_PATH)
        except OutputTooLargeError:
            context.emit(LEARNING_PATH, _only_resources_in_use(record), place=LEARNING_PATH)

    def _progress(self, context: Context, percent: int, stage: str, status: ProgressStatus = "processing") -> Emission:
        source_event_id, learner_id = context.identity
        record = PathProgressRecord(
            job_id=source_event_id,
            user_id=learner_id,
            status=status,
            progress=percent,
            stage=stage,
            at=self._clock.now(),
        )
        return Emission(PATH_PROGRESS, record, f"{PATH_PROGRESS}:{stage}")


async def _or_none(read: Awaitable[Value]) -> Value | None:
    """A read's answer, or None when the content service gives none: the path is made without."""
    try:
        return await read
    except ContentServiceError as exc:
        _log.warning("content service gave nothing, going on without", error=type(exc).__name__)
        return None


def _only_resources_in_use(record: LearningPathRecord) -> LearningPathRecord:
    """The record without the resources that no step and no recommendation names."""
    used = {name for step in record.learning_path.steps for name in step.resources}
    used |= {name for recommendation in record.recommendations for name in recommendation.resource_ids}
    kept = [resource for resource in record.available_resources if used & {resource.resourceId, resource.name}]
    return record.model_copy(update={"available_resources": kept, "available_resources_truncated": True})
