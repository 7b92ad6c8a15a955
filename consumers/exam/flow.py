"""The exam flow: a student hands in an exam, an evaluation comes out (seed 003), batch by batch (seed 002).

What is graded is kept, whatever fails or dies: a batch is a step, a partial evaluation goes out as soon as there is
one, and only what failed is tried again.
"""

from dataclasses import dataclass
from functools import partial

import structlog
from pydantic import BaseModel

from agents.grading import rules
from agents.grading.agent import GradingAgent
from clients.clock import Clock
from clients.content_service import ContentService
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.exam.grading import ExamGrading, fitting_emission
from consumers.exam.record import rejection_of
from consumers.exam.state import Answered, ExamState
from consumers.observability import log_events
from consumers.topics import EVALUATION, EXAM_GROUP, EXAM_SUBMITTED
from producers.dead_letter import ORIGINAL_PREFIX
from schemas import codec
from schemas.errors import EventError
from schemas.evaluation import RejectionDetails
from schemas.exam import MockExam
from schemas.submission import ExamSubmission

_log = structlog.get_logger("pathstream.exam")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamPolicy:
    """What the settings decide about exams."""

    require_enrollment: bool = False
    grace_minutes: float = 0.0
    grade_offline_in_an_outage: bool = True
    """Once the attempts at an event are exhausted; else the evaluation stays partial, or fails."""


class Enrolment(BaseModel):
    """Whether the student may have the exam graded."""

    enrolled: bool


class ExamConsumer:
    """Judges a submission by the rules, has its batches graded, publishes evaluations."""

    def __init__(
        self, *, content: ContentService, agent: GradingAgent, clock: Clock, policy: ExamPolicy, max_event_bytes: int
    ) -> None:
        self._content = content
        self._agent = agent
        self._clock = clock
        self._policy = policy
        self._max_event_bytes = max_event_bytes

    def flow(self) -> Flow[ExamSubmission]:
        """What the engine runs."""
        return Flow(
            name="exam",
            group_id=EXAM_GROUP,
            inputs=(EXAM_SUBMITTED,),
            outputs=(EVALUATION,),
            decode=self.decode,
            handle=self.handle,
            rescue=self.rescue,
            give_up=self.give_up,
            stateful=True,
        )

    def decode(self, value: bytes | None, _topic: str) -> ExamSubmission:
        """Read the event; raises EventError, also for an exam that is not consistent."""
        try:
            return codec.decode(ExamSubmission, value, max_bytes=self._max_event_bytes)
        except EventError as exc:
            _log.error(log_events.EXAM_INVALID, code=exc.code)
            raise

    async def handle(self, event: ExamSubmission, context: Context) -> None:
        """Answer a submission with an evaluation, or with the rule that it breaks.

        The same submission again changes nothing, unless it is the replayed dead letter of an unfinished one: for that
        one's sake an event that is ignored meanwhile is not remembered, since it may have the same id.
        """
        state = ExamState(context, self._clock)
        earlier = state.answered(event.submission_id)
        is_finished = earlier is not None and earlier.status in ("completed", "rejected")
        if earlier is not None and (is_finished or not _is_replayed(context)):
            context.remember = is_finished
            _log.info(log_events.EXAM_IGNORED, event_id=context.event_id, status=earlier.status)
            return
        if event.mock_exam is None:
            self._reject(event, context, state, rules.exam_missing(event))
        elif broken := await self._broken_rule(event, event.mock_exam, context, state):
            self._reject(event, context, state, broken)
        else:
            await self._grading(event, event.mock_exam, context, state).run()

    def rescue(self, event: ExamSubmission, context: Context) -> bool:
        """Complete the evaluation without the model, where an outage of it is all that is in the way."""
        if event.mock_exam is None or not self._policy.grade_offline_in_an_outage:
            return False
        state = ExamState(context, self._clock)
        return self._grading(event, event.mock_exam, context, state).complete_offline()

    def give_up(self, event: ExamSubmission, context: Context) -> None:
        """Keep what is graded for a replay of the dead letter; tell the student how far it came."""
        _log.error(log_events.EXAM_FAILED, event_id=context.event_id)
        if event.mock_exam is not None:
            self._grading(event, event.mock_exam, context, ExamState(context, self._clock)).suspend()

    def _grading(self, event: ExamSubmission, exam: MockExam, context: Context, state: ExamState) -> ExamGrading:
        return ExamGrading(event, exam, context=context, state=state, agent=self._agent, clock=self._clock)

    async def _broken_rule(
        self, event: ExamSubmission, exam: MockExam, context: Context, state: ExamState
    ) -> RejectionDetails | None:
        """The first rule of seed 003's error table that the submission breaks; the remote one is asked last.

        An evaluation that is gone on with passed them all before anything of it was graded: none is judged again.
        """
        earlier = state.answered(event.submission_id)
        if earlier is not None and earlier.status == "partial":
            return None
        taken_by = state.attempt_graded_for(event.attempt_id)
        if taken_by is not None and taken_by != event.submission_id:
            return rules.attempt_taken(event, taken_by)
        broken = rules.too_late(event, exam, grace_minutes=self._policy.grace_minutes)
        broken = broken or rules.answers_do_not_match(event, exam)
        if broken is not None or not self._policy.require_enrollment:
            return broken
        known = await context.step("enrolment", partial(self._read_enrolment, event), into=Enrolment)
        return None if known.enrolled else rules.not_enrolled(event)

    async def _read_enrolment(self, event: ExamSubmission) -> Enrolment:
        return Enrolment(enrolled=await self._content.is_enrolled(event.student_id, event.course_id))

    def _reject(self, event: ExamSubmission, context: Context, state: ExamState, broken: RejectionDetails) -> None:
        earlier = state.answered(event.submission_id)
        revision = earlier.revision + 1 if earlier is not None else 1
        rejection = rejection_of(event, broken, revision=revision, at=self._clock.now())
        context.emit(*fitting_emission(rejection, context))
        state.settle(event, Answered(status="rejected", revision=revision))
        _log.info(log_events.EXAM_REJECTED, event_id=context.event_id, code=broken.code)


def _is_replayed(context: Context) -> bool:
    return any(name.startswith(ORIGINAL_PREFIX) for name, _ in context.origin.headers)
