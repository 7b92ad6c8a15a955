"""One submission on its way to its evaluation: where it stands, what is published of it, what is kept of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from pydantic import BaseModel

from agents.grading.agent import OFFLINE, BatchResult, GradingAgent, SummaryResult
from clients.clock import Clock
from consumers.engine.context import Context, Emission
from consumers.exam.record import Grading, Pass, evaluation_of, fitting, step_of
from consumers.exam.state import Answered, ExamState
from consumers.observability import log_events
from consumers.topics import EVALUATION
from schemas.errors import (
    BatchesFailedError,
    ModelMalformedError,
    ModelTruncatedError,
    PathstreamError,
)
from schemas.evaluation import EvaluationResult, EvaluationStatus
from schemas.exam import MockExam
from schemas.submission import ExamSubmission

_log = structlog.get_logger("pathstream.exam")

_BATCHES_AT_ONCE = 16
_OUTAGE = "LLM_UNAVAILABLE"
_USELESS = (ModelMalformedError, ModelTruncatedError)


class Summed(BaseModel):
    """The final step: what the student takes away, and when the evaluation was complete."""

    summary: SummaryResult
    at: datetime


class ExamGrading:
    """Grades one submission within one attempt at its event."""

    def __init__(
        self,
        submission: ExamSubmission,
        exam: MockExam,
        *,
        context: Context,
        state: ExamState,
        agent: GradingAgent,
        clock: Clock,
    ) -> None:
        self._submission = submission
        self._exam = exam
        self._context = context
        self._state = state
        self._agent = agent
        self._clock = clock
        self._batches = agent.batches(exam, submission.answers)

    async def run(self) -> None:
        """Grade what is not graded yet, each batch a step, and publish the evaluation when that is all.

        If batches fail, what there is goes out as a partial evaluation and the failure is raised that decides what
        follows; the next attempt grades only those.
        """
        stand = self._stand()
        work = {step_of(batch): partial(self._agent.grade_batch, self._exam, batch) for batch in stand.remaining}
        done = await self._context.try_steps(work, into=BatchResult, limit=_BATCHES_AT_ONCE)
        stand = self._stand(also=done.results)
        if stand.remaining:
            await self._note_pass(stand, done.failures)
            raise _what_follows(done.failures)
        summed = await self._context.step("summary", partial(self._sum_up, stand), into=Summed)
        self._publish(stand, "completed", summed.summary, summed.at)

    def complete_offline(self) -> bool:
        """Grade by key and scheme what an outage of the model left over; False when something else went wrong."""
        stand = self._stand()
        if not all((stand.last_failure(batch) or "").startswith(_OUTAGE) for batch in stand.remaining):
            return False
        offline = {step_of(batch): self._agent.grade_batch_offline(batch) for batch in stand.remaining}
        self._publish(self._stand(also=offline), "completed")
        return True

    def suspend(self) -> None:
        """Keep what is graded for a replay of the dead letter; publish what is not out yet, or that nothing is.

        What is out stands where there is no news: a replay that fails too, or comes when less is kept than is out.
        """
        stand = self._stand()
        if len(stand.feedback) > stand.questions_published or not stand.published:
            self._publish(stand, "partial" if stand.graded else "failed")
        else:
            self._keep(stand, "partial" if stand.questions_published else "failed", stand.published)

    def _stand(self, also: Mapping[str, BatchResult] | None = None) -> Grading:
        """Where the evaluation stands, from state, from the finished steps of this event and from what is at hand."""
        earlier = self._state.answered(self._submission.submission_id)
        kept = self._state.kept_batches(self._submission.submission_id) if earlier is not None else {}
        steps = {step_of(batch): self._context.recall(step_of(batch), BatchResult) for batch in self._batches}
        done = {step: result for step, result in steps.items() if result is not None}
        return Grading(
            submission=self._submission,
            exam=self._exam,
            batches=self._batches,
            graded={step: result for step, result in (kept | done | dict(also or {})).items() if step in steps},
            passes=self._passes(),
            first_revision=earlier.revision + 1 if earlier is not None else 1,
            questions_out=earlier.questions_graded if earlier is not None else 0,
            kept=kept.keys(),
            earlier_attempts=earlier.attempts if earlier is not None else {},
        )

    def _passes(self) -> list[Pass]:
        passes: list[Pass] = []
        while (done := self._context.recall(_pass_step(len(passes) + 1), Pass)) is not None:
            passes.append(done)
        return passes

    async def _note_pass(self, stand: Grading, failures: Mapping[str, PathstreamError]) -> None:
        """Remember what failed; publish what is graded so far, if there is more of it than is out."""
        tried = {batch.key: failures.get(step_of(batch)) for batch in stand.remaining}
        told = {key: f"{error.code}: {error}" for key, error in tried.items() if error is not None}
        graded = len(stand.feedback)
        is_news = graded > stand.questions_published
        noted = Pass(failures=told, graded=graded, revision=stand.published + is_news)
        number = len(stand.passes) + 1
        emits = []
        if is_news:
            stand = replace(stand, passes=[*stand.passes, noted])
            emits.append(self._emission(stand, "partial", noted.revision, *self._computed(stand)))

        async def note() -> Pass:
            return noted

        await self._context.step(_pass_step(number), note, into=Pass, emits=emits)
        _log.warning(log_events.EXAM_INCOMPLETE, event_id=self._context.event_id, graded=graded, failed=len(told))

    async def _sum_up(self, stand: Grading) -> Summed:
        summary = await self._agent.summarise(self._exam, stand.feedback)
        return Summed(summary=summary, at=self._clock.now())

    def _computed(self, stand: Grading) -> tuple[SummaryResult, datetime]:
        return self._agent.summarise_offline(self._exam, stand.feedback), self._clock.now()

    def _publish(
        self,
        stand: Grading,
        status: EvaluationStatus,
        summary: SummaryResult | None = None,
        at: datetime | None = None,
    ) -> None:
        """Emit the next revision with the event's end, and remember it."""
        revision, computed = stand.published + 1, self._computed(stand)
        self._context.emit(*self._emission(stand, status, revision, summary or computed[0], at or computed[1]))
        if status == "completed":
            self._state.settle(self._submission, Answered(status=status, revision=revision))
            offline = any(OFFLINE in result.graders for result in stand.results)
            self._context.degraded = offline and self._agent.has_model
        else:
            self._keep(stand, status, revision)
        _log.info(log_events.EXAM_EVALUATED, event_id=self._context.event_id, status=status, revision=revision)

    def _keep(self, stand: Grading, status: EvaluationStatus, revision: int) -> None:
        answered = Answered(
            status=status,
            revision=revision,
            questions_graded=max(len(stand.feedback), stand.questions_published),
            attempts=stand.attempts(),
        )
        self._state.suspend(self._submission, answered, stand.graded)

    def _emission(
        self, stand: Grading, status: EvaluationStatus, revision: int, summary: SummaryResult, at: datetime
    ) -> Emission:
        evaluation = evaluation_of(stand, summary, status=status, revision=revision, at=at)
        return fitting_emission(evaluation, self._context)


def fitting_emission(evaluation: EvaluationResult, context: Context) -> Emission:
    """The evaluation as an output of its event, cut to what its topic takes."""
    place = f"{EVALUATION}:{evaluation.revision}"
    fits = fitting(evaluation, lambda candidate: context.fits(Emission(EVALUATION, candidate, place)))
    return Emission(EVALUATION, fits, place)


def _pass_step(number: int) -> str:
    return f"pass:{number}"


def _what_follows(failures: Mapping[str, PathstreamError]) -> PathstreamError:
    """The error that decides what follows: one that may pass; else answers of no use; else a refusal."""
    errors = list(failures.values())
    if passing := next((error for error in errors if error.retriable), None):
        return passing
    if useless := next((error for error in errors if isinstance(error, _USELESS)), None):
        again = BatchesFailedError(str(useless))
        again.__cause__ = useless
        return again
    return errors[0]
