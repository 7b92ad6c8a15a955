"""What the exam flow remembers of a student: submissions answered, attempts graded, batches of unfinished evaluations.

All of it is state of the student's task, written with the event that changes it. Graded batches of an evaluation that
was given up are kept for seven days, so that a replayed dead letter grades only the rest.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from pydantic import BaseModel, Field

from agents.grading.agent import BatchResult
from clients.clock import Clock
from consumers.engine.state import StateMap
from schemas.errors import OutputTooLargeError
from schemas.evaluation import EvaluationStatus
from schemas.submission import ExamSubmission

Result = TypeVar("Result", bound=BaseModel)

KEPT_FOR = timedelta(days=7)

_INDEX = "index"


class Stateful(Protocol):
    """What gives a student's named maps: an event's context."""

    def state(self, name: str, model: type[Result]) -> StateMap[Result]:
        """The student's map of that name."""


class Answered(BaseModel):
    """How a submission was answered last; `attempts` by batch, where it was not finished."""

    status: EvaluationStatus
    revision: int
    questions_graded: int = 0
    """In what was published of an unfinished evaluation."""
    attempts: dict[str, int] = Field(default_factory=dict)


class Graded(BaseModel):
    """The submission that an attempt was graded for."""

    submission_id: str


class Kept(BaseModel):
    """The graded batches of one submission that are kept, and since when."""

    steps: list[str]
    since: datetime


class KeptIndex(BaseModel):
    """What is kept, by submission."""

    submissions: dict[str, Kept] = Field(default_factory=dict)


class ExamState:
    """One student's exams, as seen and changed by one event."""

    def __init__(self, context: Stateful, clock: Clock) -> None:
        self._submissions = context.state("submissions", Answered)
        self._attempts = context.state("attempts", Graded)
        self._batches = context.state("batches", BatchResult)
        self._kept = context.state("kept", KeptIndex)
        self._clock = clock

    def answered(self, submission_id: str) -> Answered | None:
        """How the submission was answered before, if it was."""
        return self._submissions.get(submission_id)

    def attempt_graded_for(self, attempt_id: str) -> str | None:
        """The submission that the attempt was graded for, if it was."""
        graded = self._attempts.get(attempt_id)
        return None if graded is None else graded.submission_id

    def kept_batches(self, submission_id: str) -> dict[str, BatchResult]:
        """The graded batches of an earlier, unfinished evaluation, by step, where they are not too old."""
        kept = self._index().submissions.get(submission_id)
        if kept is None or self._is_old(kept):
            return {}
        found = {step: self._batches.get(_key(submission_id, step)) for step in kept.steps}
        return {step: batch for step, batch in found.items() if batch is not None}

    def settle(self, submission: ExamSubmission, answered: Answered) -> None:
        """The submission has its last answer; nothing of it is kept, and nothing that is too old."""
        self._submissions.put(submission.submission_id, answered)
        if answered.status == "completed":
            self._attempts.put(submission.attempt_id, Graded(submission_id=submission.submission_id))
        self._keep(submission.submission_id, [])

    def suspend(self, submission: ExamSubmission, answered: Answered, graded: Mapping[str, BatchResult]) -> None:
        """The evaluation is given up unfinished: what is graded is kept. A batch too large for state is not."""
        self._submissions.put(submission.submission_id, answered)
        if graded:
            self._attempts.put(submission.attempt_id, Graded(submission_id=submission.submission_id))
        steps = []
        for step, batch in graded.items():
            try:
                self._batches.put(_key(submission.submission_id, step), batch)
            except OutputTooLargeError:
                continue
            steps.append(step)
        self._keep(submission.submission_id, steps)

    def _keep(self, submission_id: str, steps: list[str]) -> None:
        """Keep these steps of the submission; drop what is kept of it beside them, and what is too old."""
        index = self._index().submissions
        after = {name: kept for name, kept in index.items() if name != submission_id and not self._is_old(kept)}
        if steps:
            after[submission_id] = Kept(steps=steps, since=self._clock.now())
        for name, kept in index.items():
            left = after[name].steps if name in after else []
            for step in set(kept.steps).difference(left):
                self._batches.delete(_key(name, step))
        if after != index:
            self._kept.put(_INDEX, KeptIndex(submissions=after))

    def _index(self) -> KeptIndex:
        return self._kept.get(_INDEX) or KeptIndex()

    def _is_old(self, kept: Kept) -> bool:
        return self._clock.now() - kept.since > KEPT_FOR


def _key(submission_id: str, step: str) -> str:
    return f"{submission_id}\0{step}"
