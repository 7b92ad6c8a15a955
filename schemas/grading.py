"""What a model answers when it grades, before it is trusted: `agents/grading` checks every mark of it.

Questions go by their number, which is unique in an exam; totals, percentages and grades are not the model's to say.
"""

from pydantic import Field

from schemas.decisions import Decision


class GradedCriterion(Decision):
    """What one criterion of the marking scheme earned (seed 003)."""

    criterion_name: str = Field(min_length=1)
    criterion_description: str = ""
    marks_earned: int = Field(ge=0)
    marks_possible: int = Field(ge=0)
    feedback: str = Field(min_length=1)
    evidence_seen: str | None = None


class NamedMisconception(Decision):
    """A misconception that the answer shows (seed 003)."""

    misconception_type: str = Field(min_length=1)
    common_error: str = Field(min_length=1)
    why_its_wrong: str = Field(min_length=1)
    correct_thinking: str = Field(min_length=1)
    practice_suggestion: str = Field(min_length=1)


class GradedQuestion(Decision):
    """One question's marks and feedback (seed 003)."""

    question_number: int
    marks_earned: int = Field(ge=0)
    feedback_summary: str = Field(min_length=1)
    what_you_did_well: str | None = None
    where_you_went_wrong: str | None = None
    correct_approach: str = Field(min_length=1)
    marking_breakdown: list[GradedCriterion] | None = None
    misconception_detected: NamedMisconception | None = None
    related_concept: str = Field(min_length=1)
    suggested_review: str | None = None


class GradedBatch(Decision):
    """Every question of a batch, each once."""

    questions: list[GradedQuestion] = Field(min_length=1)


class RecommendedStep(Decision):
    """What to do next, most important first, and for which lost questions."""

    topic: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    action: str = Field(min_length=1)
    related_questions: list[int] = Field(min_length=1)


class Summary(Decision):
    """What a student takes away: recommendations for lost questions, and a message."""

    recommendations: list[RecommendedStep] = Field(default_factory=list, max_length=4)
    encouragement_message: str = Field(min_length=1)
