"""Seed 003's table of agent tests, on recorded answers; `make eval` prints the accuracy."""

import pytest

from agents.grading.key import marks_by_key
from schemas.evaluation import EvaluationResult
from tests.evals.cassettes import Cassette, path_of
from tests.evals.grading import GradedExam, grade
from tests.evals.measures import is_constructive, scores_of
from tests.exams import NAMES, submission_of, teacher_marks

RECORDED = [name for name in NAMES if path_of(name).exists()]
LOWEST_EXACT_OFFLINE = 0.75
"""What grading without a model has to reach on every fixture: a fall below it is a change for the worse."""


@pytest.fixture(params=RECORDED)
def fixture(request: pytest.FixtureRequest) -> str:
    """A fixture with recorded answers."""
    name: str = request.param
    return name


@pytest.fixture
async def graded(fixture: str) -> GradedExam:
    """The fixture, graded by its recorded answers."""
    return await grade(fixture, Cassette.load(fixture))


def test_there_are_recorded_answers() -> None:
    assert RECORDED


async def test_llm_grades_mcq_correctly_and_numbers_within_their_tolerance(fixture: str, graded: GradedExam) -> None:
    submission, exam = submission_of(fixture)
    given = {answer.question_id: answer.response for answer in submission.answers}
    by_id = {question.question_id: question for question in exam.questions}
    for entry in graded.feedback:
        by_key = marks_by_key(by_id[entry.question_id], given.get(entry.question_id))
        assert by_key is None or entry.marks_earned == by_key
    assert graded.corrected == 0, "the key had to correct the recorded answers"


async def test_llm_marks_are_those_of_a_teacher(fixture: str, graded: GradedExam) -> None:
    scores = scores_of(graded.feedback, teacher_marks(fixture))
    assert scores.exact >= 0.9
    assert scores.within_one == 1.0


async def test_llm_generates_constructive_feedback_and_is_encouraging(graded: GradedExam) -> None:
    for entry in graded.feedback:
        assert is_constructive(entry), entry.question_number
        assert entry.what_you_did_well, entry.question_number
    assert graded.summary.encouragement_message


async def test_llm_detects_misconceptions(fixture: str, graded: GradedExam) -> None:
    marks = teacher_marks(fixture)
    for entry in graded.feedback:
        if marks[entry.question_number].misconception:
            assert entry.misconception_detected is not None, entry.question_number
            assert entry.misconception_detected.practice_suggestion
        if entry.is_correct:
            assert entry.misconception_detected is None


async def test_recommendations_are_specific(graded: GradedExam) -> None:
    lost = {entry.question_number for entry in graded.feedback if entry.marks_earned < entry.marks_possible}
    assert 2 <= len(graded.summary.recommendations) <= 4
    for step in graded.summary.recommendations:
        assert step.related_questions
        assert set(step.related_questions) <= lost
        assert step.action


async def test_feedback_has_correct_approach(graded: GradedExam) -> None:
    assert all(entry.correct_approach and entry.related_concept for entry in graded.feedback)


def test_evaluation_result_is_complete() -> None:
    assert {
        "evaluation_id", "submission_id", "evaluated_at", "overall_result", "section_results", "question_feedback",
        "learning_recommendations", "encouragement_message",
    } <= EvaluationResult.model_fields.keys()  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_grading_without_a_model_does_not_get_worse(name: str) -> None:
    scores = scores_of((await grade(name, None)).feedback, teacher_marks(name))
    assert scores.exact >= LOWEST_EXACT_OFFLINE
    assert scores.tone == 1.0
