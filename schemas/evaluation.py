"""An exam's evaluation: seed 003's EvaluationResult and what the contracts add; topic `evaluation`."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from schemas.envelope import OutputModel

Grade = Literal["A", "B", "C", "D", "No Award"]
EvaluationStatus = Literal["completed", "partial", "failed", "rejected"]
BatchStatus = Literal["graded", "graded_offline", "failed"]
RejectionCode = Literal[
    "EXAM_NOT_FOUND",
    "ATTEMPT_ALREADY_SUBMITTED",
    "TIME_LIMIT_EXCEEDED",
    "ANSWERS_DO_NOT_MATCH_EXAM",
    "NOT_ENROLLED",
]

PASS_THRESHOLD = 40
"""Percent (seed 003, SQA bands)."""


class OverallResult(OutputModel):
    """The whole result, computed. `percentage` is 0..100, cut to two decimals, so nobody is rounded into a band."""

    total_marks_earned: int = Field(ge=0)
    total_marks_possible: int = Field(ge=0)
    percentage: float = Field(ge=0, le=100)
    grade: Grade
    pass_status: bool
    pass_threshold: int = PASS_THRESHOLD


class SectionResult(OutputModel):
    """One section's result, computed like the whole one."""

    section_id: str
    section_label: str
    marks_earned: int = Field(ge=0)
    marks_possible: int = Field(ge=0)
    percentage: float = Field(ge=0, le=100)


class MarkingCriterionResult(OutputModel):
    """What one criterion of a marking scheme earned, and why."""

    criterion_name: str
    criterion_description: str
    marks_earned: int = Field(ge=0)
    marks_possible: int = Field(ge=0)
    feedback: str
    evidence_seen: str | None = None


class MisconceptionFeedback(OutputModel):
    """A misconception that the answer shows, and the way out of it."""

    misconception_type: str
    common_error: str
    why_its_wrong: str
    correct_thinking: str
    practice_suggestion: str


class QuestionFeedback(OutputModel):
    """One question: its marks, and words that acknowledge, explain, guide and encourage."""

    question_id: str
    question_number: int
    section_id: str
    marks_earned: int = Field(ge=0)
    marks_possible: int = Field(ge=0)
    is_correct: bool
    is_partially_correct: bool = False
    feedback_summary: str
    what_you_did_well: str | None = None
    where_you_went_wrong: str | None = None
    correct_approach: str
    marking_breakdown: list[MarkingCriterionResult] | None = None
    misconception_detected: MisconceptionFeedback | None = None
    related_concept: str
    suggested_review: str | None = None


class LearningRecommendation(OutputModel):
    """What to do next, and for which lost questions; priority 1 comes first."""

    priority: int = Field(ge=1, le=5)
    topic: str
    reason: str
    action: str
    related_questions: list[int] = Field(default_factory=list)


class GradingProgress(OutputModel):
    """How much is graded; `message` is "X questions graded (Y remaining)" (seed 002)."""

    questions_graded: int = Field(ge=0)
    questions_remaining: int = Field(ge=0)
    message: str


class BatchReport(OutputModel):
    """What became of one batch; `attempts` counts the passes that tried it."""

    batch_key: str
    status: BatchStatus
    attempts: int = Field(ge=0)
    error: str | None = None


class RejectionDetails(OutputModel):
    """The rule of seed 003's error table that a submission breaks."""

    code: RejectionCode
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class EvaluationResult(OutputModel):
    """One evaluation; key = the student's id. A later record of the same id and a higher revision replaces it.

    A rejected or failed one has no results; the totals of a partial one are those of its graded questions.
    """

    evaluation_id: str
    submission_id: str
    evaluated_at: datetime
    exam_id: str
    attempt_id: str
    student_id: str
    course_id: str
    status: EvaluationStatus
    revision: int = Field(ge=1)
    progress: GradingProgress
    overall_result: OverallResult | None = None
    section_results: list[SectionResult] = Field(default_factory=list)
    question_feedback: list[QuestionFeedback] = Field(default_factory=list)
    learning_recommendations: list[LearningRecommendation] = Field(default_factory=list)
    encouragement_message: str = ""
    batches: list[BatchReport] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    generated_by: str = ""
    error: RejectionDetails | None = None
