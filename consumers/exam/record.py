"""Evaluations as they are published: built from graded batches, cut to what their topic takes. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from agents.grading.agent import OFFLINE, BatchResult, SummaryResult
from agents.grading.batches import Batch
from agents.grading.totals import overall_result, section_results
from schemas.evaluation import (
    BatchReport,
    BatchStatus,
    EvaluationResult,
    EvaluationStatus,
    GradingProgress,
    QuestionFeedback,
    RejectionDetails,
)
from schemas.exam import MockExam
from schemas.ids import EventId, LearnerId, output_id
from schemas.submission import ExamSubmission

_TEXT_LIMITS = (2_000, 600, 200, 60, 20)
"""Characters of one text of the feedback, tried one after the other when an evaluation is too large."""
_WARNINGS_KEPT = 50


class Pass(BaseModel):
    """One time through batches that were left: what failed, as `CODE: message` by batch, and what was published."""

    failures: dict[str, str]
    graded: int
    """Questions graded so far."""
    revision: int
    """The newest that is published; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Grading:
    """An evaluation in the making: the batches, what is graded of them (by step), and the passes so far."""

    submission: ExamSubmission
    exam: MockExam
    batches: Sequence[Batch]
    graded: Mapping[str, BatchResult]
    passes: Sequence[Pass] = ()
    first_revision: int = 1
    """More than 1 when an earlier, unfinished evaluation is gone on with."""
    questions_out: int = 0
    """How many graded questions that one's newest revision has."""
    kept: Collection[str] = ()
    """The steps that were graded for that one."""
    earlier_attempts: Mapping[str, int] = field(default_factory=dict)

    @property
    def remaining(self) -> list[Batch]:
        """What is not graded yet."""
        return [batch for batch in self.batches if step_of(batch) not in self.graded]

    @property
    def results(self) -> list[BatchResult]:
        """What is graded, in the exam's order."""
        return [self.graded[step] for batch in self.batches if (step := step_of(batch)) in self.graded]

    @property
    def feedback(self) -> list[QuestionFeedback]:
        """The graded questions, in the exam's order."""
        return [entry for result in self.results for entry in result.feedback]

    @property
    def published(self) -> int:
        """The newest revision that is out; 0 for none."""
        return self.passes[-1].revision if self.passes else self.first_revision - 1

    @property
    def questions_published(self) -> int:
        """How many graded questions are out."""
        graded = [done.graded for done in self.passes if done.revision >= self.first_revision]
        return max(graded, default=self.questions_out)

    def last_failure(self, batch: Batch) -> str | None:
        """Why a batch failed when it was tried last, in this life of the event."""
        return next((told for done in reversed(self.passes) if (told := done.failures.get(batch.key))), None)

    def attempts(self) -> dict[str, int]:
        """How often each batch was tried: in every pass until it was graded, in this life of the event and before."""
        return {batch.key: self._attempts(batch) for batch in self.batches}

    def _attempts(self, batch: Batch) -> int:
        failed = sum(batch.key in done.failures for done in self.passes)
        graded_now = step_of(batch) in self.graded and step_of(batch) not in self.kept
        return self.earlier_attempts.get(batch.key, 0) + failed + graded_now


def step_of(batch: Batch) -> str:
    """The name of the step that grades a batch: the same only for the same questions, however exams are cut later."""
    return f"grade:{batch.items[0].question.question_number}:{batch.key}"


def evaluation_id(submission: ExamSubmission) -> str:
    """The same for every revision, whatever event brings the submission."""
    return output_id(EventId(submission.submission_id), LearnerId(submission.student_id), "evaluation")


def evaluation_of(
    grading: Grading, summary: SummaryResult, *, status: EvaluationStatus, revision: int, at: datetime
) -> EvaluationResult:
    """The evaluation of what is graded; without any results when that is nothing."""
    submission, feedback = grading.submission, grading.feedback
    return EvaluationResult(
        evaluation_id=evaluation_id(submission),
        submission_id=submission.submission_id,
        evaluated_at=at,
        exam_id=submission.exam_id,
        attempt_id=submission.attempt_id,
        student_id=submission.student_id,
        course_id=submission.course_id,
        status=status,
        revision=revision,
        progress=_progress(len(feedback), len(grading.exam.questions)),
        overall_result=overall_result(feedback) if feedback else None,
        section_results=section_results(grading.exam, feedback),
        question_feedback=feedback,
        learning_recommendations=summary.recommendations if feedback else [],
        encouragement_message=summary.encouragement_message if feedback else "",
        batches=_reports(grading),
        warnings=[*_warnings(grading), *(summary.warnings if feedback else [])],
        generated_by=", ".join(dict.fromkeys(grader for result in grading.results for grader in result.graders)),
    )


def rejection_of(
    submission: ExamSubmission, error: RejectionDetails, *, revision: int, at: datetime
) -> EvaluationResult:
    """The answer to a submission that breaks a rule: why, and no results."""
    questions = len(submission.mock_exam.questions) if submission.mock_exam is not None else 0
    return EvaluationResult(
        evaluation_id=evaluation_id(submission),
        submission_id=submission.submission_id,
        evaluated_at=at,
        exam_id=submission.exam_id,
        attempt_id=submission.attempt_id,
        student_id=submission.student_id,
        course_id=submission.course_id,
        status="rejected",
        revision=revision,
        progress=_progress(0, questions),
        error=error,
    )


def fitting(evaluation: EvaluationResult, fits: Callable[[EvaluationResult], bool]) -> EvaluationResult:
    """The evaluation, its longest texts cut as far as it takes until it fits; marks are never touched."""
    if fits(evaluation):
        return evaluation
    shorter = evaluation
    for limit in _TEXT_LIMITS:
        warning = f"texts were cut to {limit} characters: the evaluation was too large for its topic"
        feedback = [_cut(entry, limit) for entry in evaluation.question_feedback]
        shorter = evaluation.model_copy(
            update={"question_feedback": feedback, "warnings": [*evaluation.warnings[:_WARNINGS_KEPT], warning]}
        )
        if fits(shorter):
            break
    return shorter


def _progress(graded: int, questions: int) -> GradingProgress:
    remaining = questions - graded
    return GradingProgress(
        questions_graded=graded,
        questions_remaining=remaining,
        message=f"{graded} questions graded ({remaining} remaining)",
    )


def _reports(grading: Grading) -> list[BatchReport]:
    attempts = grading.attempts()
    reports = []
    for batch in grading.batches:
        result = grading.graded.get(step_of(batch))
        if result is None:
            error = grading.last_failure(batch) or "not graded"
            reports.append(BatchReport(batch_key=batch.key, status="failed", attempts=attempts[batch.key], error=error))
        else:
            status: BatchStatus = "graded_offline" if result.generated_by == OFFLINE else "graded"
            reports.append(BatchReport(batch_key=batch.key, status=status, attempts=attempts[batch.key]))
    return reports


def _warnings(grading: Grading) -> list[str]:
    warnings = [warning for result in grading.results for warning in result.warnings]
    total, possible = grading.exam.metadata.total_marks, sum(entry.marks_possible for entry in grading.feedback)
    if grading.remaining and grading.results:
        warnings.insert(0, f"the result covers {possible} of {total} marks: the rest is not graded yet")
    if not total:
        warnings.insert(0, "no marks are possible in this exam")
    return warnings


def _cut(entry: QuestionFeedback, limit: int) -> QuestionFeedback:
    """Cut every text of one question's feedback, those within its parts too; ids stay as they are."""
    content = entry.model_dump()
    kept = {name: content.pop(name) for name in ("question_id", "section_id")}
    return QuestionFeedback.model_validate(_shortened(content, limit) | kept)


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else value[: limit - 1] + "\u2026"
    if isinstance(value, dict):
        return {name: _shortened(part, limit) for name, part in value.items()}
    return [_shortened(part, limit) for part in value] if isinstance(value, list) else value
