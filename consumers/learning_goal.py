"""The learning-goal flow: a learner states a goal, a learning path comes out (seed 004)."""

from functools import partial

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
from consumers.offer import Offer, read_offer
from consumers.path_output import emit_path, progress
from consumers.topics import LEARNING_GOAL, LEARNING_GOAL_GROUP, LEARNING_PATH, PATH_PROGRESS
from schemas import codec
from schemas.decisions import PathPlan
from schemas.errors import EventError
from schemas.events import LearningGoalEvent
from schemas.outputs import LearningPathRecord, ProgressStatus

_log = structlog.get_logger("pathstream.learning_goal")


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
            "offer",
            partial(read_offer, self._content, context.identity[1]),
            into=Offer,
            emits=lambda _: [self._progress(context, 30, "offer_read")],
        )
        planned = await context.step(
            "plan",
            partial(self._plan, event, offer),
            into=PlannedPath,
            emits=lambda _: [self._progress(context, 90, "planned")],
        )
        context.degraded = planned.degraded or not offer.is_whole
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
        emit_path(context, record)

    def _progress(self, context: Context, percent: int, stage: str, status: ProgressStatus = "processing") -> Emission:
        return progress(context, percent, stage, at=self._clock.now(), status=status)
