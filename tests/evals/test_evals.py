"""Seed 003's table of agent tests: each row is a case of the same name, on recorded answers. `make eval` says how well.

Rows that a live model judges in the seed are measured here; the judge itself is in test_recording.
"""

from itertools import chain

import pytest
from pydantic import ValidationError

from agents.grading.key import is_answered, marks_by_key
from agents.grading.totals import grade_of
from schemas.evaluation import (
    EvaluationResult,
    LearningRecommendation,
    MisconceptionFeedback,
    QuestionFeedback,
)
from schemas.exam import Question
from schemas.grading import GradedQuestion, NamedMisconception, RecommendedStep
from schemas.submission import AnswerResponse
from tests.evals.cassettes import Cassette
from tests.evals.grading import GradedExam, grade
from tests.evals.measures import is_constructive, is_discouraging, misconceptions_found, scores_of
from tests.exams import NAMES, submission_of, teacher_marks

LOWEST_EXACT = 0.9
MOST_MISSED = 2
MOST_OVERRULED = 1
"""What the recorded answers are known to reach on every fixture: less is a change for the worse."""
LOWEST_EXACT_OFFLINE = 0.75
"""What grading without a model has to reach on every fixture."""

GOOD = {
    "question_number": 1, "marks_earned": 2, "feedback_summary": "Excellent work!", "what_you_did_well": "The method",
    "correct_approach": "Count all balls.", "related_concept": "Probability",
}  # fmt: skip
MISCONCEPTION = {
    "misconception_type": "wrong_event", "common_error": "Counts blue", "why_its_wrong": "Red is asked for",
    "correct_thinking": "Probability of what?", "practice_suggestion": "Five more",
}  # fmt: skip
RECOMMENDATION = {"topic": "Factorising", "reason": "Lost in 3", "action": "Practise a > 1", "related_questions": [3]}


@pytest.fixture(params=NAMES)
def fixture(request: pytest.FixtureRequest) -> str:
    """An exam with its marked answers."""
    name: str = request.param
    return name


@pytest.fixture
async def graded(fixture: str) -> GradedExam:
    """The exam, graded by its recorded answers."""
    return await grade(fixture, Cassette.load(fixture))


def questions_of(fixture: str, *types: str) -> dict[int, tuple[Question, AnswerResponse | None]]:
    """An exam's questions of some types and their answers, by number."""
    submission, exam = submission_of(fixture)
    given = {answer.question_id: answer.response for answer in submission.answers}
    return {
        question.question_number: (question, given.get(question.question_id))
        for question in exam.questions
        if not types or question.question_type in types
    }


def losses(graded: GradedExam) -> list[QuestionFeedback]:
    return [entry for entry in graded.evaluation.question_feedback if entry.marks_earned < entry.marks_possible]


def assert_key_is_followed(fixture: str, graded: GradedExam, *types: str) -> None:
    asked = questions_of(fixture, *types)
    for entry in graded.evaluation.question_feedback:
        if entry.question_number in asked:
            by_key = marks_by_key(*asked[entry.question_number])
            assert by_key is None or entry.marks_earned == by_key, entry.question_number


def test_question_feedback_schema() -> None:
    assert GradedQuestion.model_validate(GOOD).feedback_summary == "Excellent work!"
    required = {name for name, field in QuestionFeedback.model_fields.items() if field.is_required()}
    assert required == {
        "question_id", "question_number", "section_id", "marks_earned", "marks_possible", "is_correct",
        "feedback_summary", "correct_approach", "related_concept",
    }  # fmt: skip


@pytest.mark.parametrize("missing", ["feedback_summary", "correct_approach", "related_concept", "marks_earned"])
def test_question_feedback_schema_refuses_what_is_incomplete(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        GradedQuestion.model_validate({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize("element", MISCONCEPTION)
def test_misconception_feedback_schema(element: str) -> None:
    for schema in (NamedMisconception, MisconceptionFeedback):
        assert schema.model_validate(MISCONCEPTION)
        with pytest.raises(ValidationError, match=element):
            schema.model_validate({name: text for name, text in MISCONCEPTION.items() if name != element})


def test_learning_recommendation_schema() -> None:
    first = RECOMMENDATION | {"priority": 1}
    assert LearningRecommendation.model_validate(first).action
    for schema, content in ((LearningRecommendation, first), (RecommendedStep, RECOMMENDATION)):
        with pytest.raises(ValidationError, match="action"):
            schema.model_validate({name: value for name, value in content.items() if name != "action"})
    with pytest.raises(ValidationError, match="priority"):
        LearningRecommendation.model_validate(RECOMMENDATION)


@pytest.mark.parametrize(("earned", "grade"), [(100, "A"), (75, "A"), (70, "A"), (69, "B")])
def test_sqa_grade_a(earned: int, grade: str) -> None:
    assert grade_of(earned, 100) == (grade, True)


@pytest.mark.parametrize(("earned", "grade"), [(40, "D"), (39, "No Award"), (0, "No Award")])
def test_sqa_grade_no_award(earned: int, grade: str) -> None:
    assert grade_of(earned, 100) == (grade, grade != "No Award")


async def test_evaluation_result_complete(fixture: str, graded: GradedExam) -> None:
    submission, exam = submission_of(fixture)
    result = EvaluationResult.model_validate_json(graded.evaluation.model_dump_json())
    assert (result.submission_id, result.status, result.generated_by) == (
        submission.submission_id, "completed", "written, not recorded",
    )  # fmt: skip
    assert [entry.question_id for entry in result.question_feedback] == [q.question_id for q in exam.questions]
    assert [part.section_id for part in result.section_results] == [part.section_id for part in exam.sections]
    assert result.learning_recommendations
    assert result.encouragement_message
    earned = sum(entry.marks_earned for entry in result.question_feedback)
    assert result.overall_result is not None
    assert result.overall_result.total_marks_earned == earned == sum(s.marks_earned for s in result.section_results)
    assert result.overall_result.total_marks_possible == exam.metadata.total_marks


async def test_feedback_has_correct_approach(graded: GradedExam) -> None:
    for entry in graded.evaluation.question_feedback:
        assert entry.correct_approach, entry.question_number
        assert entry.related_concept, entry.question_number


async def test_llm_grades_mcq_correctly(fixture: str, graded: GradedExam) -> None:
    types = ("mcq", "mcq_multiselect")
    assert_key_is_followed(fixture, graded, *types)
    assert set(graded.overruled) <= questions_of(fixture, *types).keys()
    assert len(graded.overruled) <= MOST_OVERRULED


async def test_llm_grades_numeric_tolerance(fixture: str, graded: GradedExam) -> None:
    numeric = questions_of(fixture, "numeric")
    assert numeric
    assert_key_is_followed(fixture, graded, "numeric")
    assert not numeric.keys() & set(graded.overruled), "the model and the key differ on a number"


def test_the_fixtures_have_right_numbers_that_are_not_written_like_the_key() -> None:
    answers = chain.from_iterable(questions_of(name, "numeric").values() for name in NAMES)
    unlike = {
        written
        for question, given in answers
        if given and marks_by_key(question, given)
        if (written := given.text or f"{given.numeric_value:.10g}") != question.key.correct_answer
    }
    assert unlike == {"\u00bc", "4000.0005", "2 1/4", "300000000"}


async def test_llm_generates_constructive_feedback(fixture: str, graded: GradedExam) -> None:
    asked = questions_of(fixture)
    assert losses(graded)
    for entry in graded.evaluation.question_feedback:
        assert is_constructive(entry), entry.question_number
    for entry in losses(graded):
        assert entry.where_you_went_wrong, entry.question_number
        if is_answered(*asked[entry.question_number]):
            assert entry.what_you_did_well, entry.question_number


async def test_llm_detects_misconceptions(fixture: str, graded: GradedExam) -> None:
    marks, (_, exam) = teacher_marks(fixture), submission_of(fixture)
    feedback = graded.evaluation.question_feedback
    seen = {number for number, mark in marks.items() if mark.misconception}
    named = {entry.question_number for entry in feedback if entry.misconception_detected}
    found = set(misconceptions_found(feedback, exam.questions, marks))
    assert seen
    assert named == found <= seen, "a misconception is named that the teacher did not see"
    assert len(seen - found) <= MOST_MISSED


async def test_llm_feedback_is_encouraging(graded: GradedExam) -> None:
    assert not [entry.question_number for entry in graded.evaluation.question_feedback if is_discouraging(entry)]
    assert len(graded.evaluation.encouragement_message.split()) > 10


async def test_recommendations_are_specific(graded: GradedExam) -> None:
    lost = {entry.question_number for entry in losses(graded)}
    steps = graded.evaluation.learning_recommendations
    assert 2 <= len(steps) <= 4
    assert [step.priority for step in steps] == list(range(1, len(steps) + 1))
    for step in steps:
        assert step.related_questions
        assert set(step.related_questions) <= lost
        assert any(str(number) in step.reason for number in step.related_questions), step.topic
        assert step.action


async def test_llm_marks_are_those_of_a_teacher(fixture: str, graded: GradedExam) -> None:
    _, exam = submission_of(fixture)
    scores = scores_of(graded.evaluation.question_feedback, exam.questions, teacher_marks(fixture))
    assert scores.exact >= LOWEST_EXACT
    assert scores.within_one == 1.0


async def test_grading_without_a_model_does_not_get_worse(fixture: str) -> None:
    _, exam = submission_of(fixture)
    feedback = (await grade(fixture, None)).evaluation.question_feedback
    scores = scores_of(feedback, exam.questions, teacher_marks(fixture))
    assert scores.exact >= LOWEST_EXACT_OFFLINE
    assert scores.misconceptions_seen - scores.misconceptions_found <= MOST_MISSED
    assert scores.tone == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_teacher_means_a_misconception_that_the_question_is_known_for(name: str) -> None:
    known = {number: question.misconceptions for number, (question, _) in questions_of(name).items()}
    for number, mark in teacher_marks(name).items():
        if mark.known is not None:
            assert mark.misconception
            assert mark.known in [entry.error_pattern for entry in known[number]], number
