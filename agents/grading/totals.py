"""Totals, percentages, grade and pass: computed from the questions' marks, never asked for (seed 003)."""

from collections.abc import Sequence

from schemas.evaluation import PASS_THRESHOLD, Grade, OverallResult, QuestionFeedback, SectionResult
from schemas.exam import MockExam

_BANDS: tuple[tuple[int, Grade], ...] = ((70, "A"), (60, "B"), (50, "C"), (40, "D"))
"""Lowest percentage of each grade (seed 003, SQA)."""


def percentage(earned: int, possible: int) -> float:
    """Percent, 0..100, cut to two decimals; 0 where no marks are possible."""
    return earned * 10_000 // possible / 100 if possible else 0.0


def grade_of(earned: int, possible: int) -> tuple[Grade, bool]:
    """Grade and whether it is a pass, from the exact ratio: 69.999 % is a B. Without possible marks, No Award."""
    for lowest, grade in _BANDS:
        if possible and earned * 100 >= lowest * possible:
            return grade, lowest >= PASS_THRESHOLD
    return "No Award", False


def overall_result(feedback: Sequence[QuestionFeedback]) -> OverallResult:
    """The result of these questions taken together."""
    earned, possible = _sums(feedback)
    grade, passed = grade_of(earned, possible)
    return OverallResult(
        total_marks_earned=earned,
        total_marks_possible=possible,
        percentage=percentage(earned, possible),
        grade=grade,
        pass_status=passed,
    )


def section_results(exam: MockExam, feedback: Sequence[QuestionFeedback]) -> list[SectionResult]:
    """The result of each section of which any question is graded, in the exam's order."""
    results = []
    for section in exam.sections:
        graded = [entry for entry in feedback if entry.section_id == section.section_id]
        if graded:
            earned, possible = _sums(graded)
            results.append(
                SectionResult(
                    section_id=section.section_id,
                    section_label=section.section_label,
                    marks_earned=earned,
                    marks_possible=possible,
                    percentage=percentage(earned, possible),
                )
            )
    return results


def _sums(feedback: Sequence[QuestionFeedback]) -> tuple[int, int]:
    return sum(entry.marks_earned for entry in feedback), sum(entry.marks_possible for entry in feedback)
