"""The learning-goal flow: a learner states a goal, a learning path comes out (seed 004)."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from agents.learning_path import LearningPathAgent, PathResult
from agents.profile import profile_of, recommendations_for
from clients.clock import Clock
from clients.content_service import ContentService
from clients.llm.study_texts import wished_topics
from consumers.engine.flow import Context, Flow
from consumers.observability import log_events
from consumers.topics import LEARNING_GOAL, LEARNING_GOAL_GROUP, LEARNING_PATH, PATH_PROGRESS
from schemas import codec
from schemas.errors import ContentServiceError, EventError, OutputTooLargeError
from schemas.events import LearningGoalEvent
from schemas.outputs import LearningPathRecord, PathProgressRecord, Resource

Value = TypeVar("Value")

_log = structlog.get_logger("pathstream.learning_goal")


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
        )

    def decode(self, value: bytes | None) -> LearningGoalEvent:
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
        event_id, learner_id = context.identity
        _log.info(log_events.LEARNING_GOAL_PROCESSING, event_id=event_id)
        async with asyncio.TaskGroup() as reads:
            resources_read = reads.create_task(_or_none(self._content.get_available_resources(learner_id)))
            mastery_read = reads.create_task(_or_none(self._content.get_user_mastery_score(learner_id)))
        resources, mastery = resources_read.result(), mastery_read.result()
        goal = event.event_data
        result = await self._agent.generate_learning_path(
            goal=goal.learning_goal,
            current_level=goal.current_level,
            preferences=goal.preferences,
            available_time=goal.available_time,
            resources=resources or [],
            mastery=mastery or {},
        )
        context.degraded = result.degraded or resources is None or mastery is None
        self._emit_path(event, context, result, resources or [], mastery or {})
        self._emit_progress(context, "completed", 100, "path_created")
        _log.info(
            log_events.LEARNING_PATH_PUBLISHED,
            event_id=event_id,
            generated_by=result.generated_by,
            degraded=context.degraded,
        )

    def give_up(self, event: LearningGoalEvent, context: Context) -> None:
        """Tell whoever waits for the path that it does not come; the event itself becomes a dead letter."""
        _log.error(log_events.LEARNING_GOAL_FAILED, event_id=event.event_id)
        self._emit_progress(context, "failed", 0, "failed")

    def _emit_path(
        self,
        event: LearningGoalEvent,
        context: Context,
        result: PathResult,
        resources: list[Resource],
        mastery: dict[str, float],
    ) -> None:
        source_event_id, learner_id = context.identity
        event_id = context.output_id(LEARNING_PATH)
        goal = event.event_data
        record = LearningPathRecord(
            event_id=event_id,
            source_event_id=source_event_id,
            user_id=learner_id,
            learning_goal=goal.learning_goal,
            learning_path=result.plan,
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
            generated_by=result.generated_by,
            degraded=context.degraded,
        )
        try:
            context.emit(LEARNING_PATH, record, event_id=event_id)
        except OutputTooLargeError:
            context.emit(LEARNING_PATH, _only_resources_in_use(record), event_id=event_id)

    def _emit_progress(self, context: Context, status: str, percent: int, stage: str) -> None:
        source_event_id, learner_id = context.identity
        record = PathProgressRecord.model_validate(
            {
                "job_id": source_event_id,
                "user_id": learner_id,
                "status": status,
                "progress": percent,
                "stage": stage,
                "at": self._clock.now(),
            }
        )
        context.emit(PATH_PROGRESS, record, event_id=context.output_id(f"{PATH_PROGRESS}:{stage}"))


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
