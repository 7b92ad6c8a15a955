"""What a student takes away: recommendations for questions really lost, in the number that the specification names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.grading.summary import lost_questions, recommendations_from, summarise_offline, summary_check
from schemas.evaluation import QuestionFeedback
from schemas.grading import RecommendedStep, Summary
from tests.exams import submission_of

_, EXAM = submission_of("national_5_biology_60")
SECTION_OF = {q.question_number: section.section_id for section in EXAM.sections for q in section.questions}


def feedback_losing(lost: set[int]) -> list[QuestionFeedback]:
    return [
        QuestionFeedback(
            question_id=question.question_id,
            question_number=question.question_number,
            section_id=SECTION_OF[question.question_number],
            marks_earned=0 if question.question_number in lost else question.marks,
            marks_possible=question.marks,
            is_correct=question.question_number not in lost,
            feedback_summary="s",
            correct_approach="c",
            related_concept=f"concept of question {question.question_number}",
        )
        for question in EXAM.questions
    ]


def summary_of(*related: list[int]) -> Summary:
    steps = [RecommendedStep(topic="t", reason="r", action="a", related_questions=numbers) for numbers in related]
    return Summary(recommendations=steps, encouragement_message="Go on!")


@given(st.sets(st.integers(1, 60)))
def test_without_a_model_there_are_two_to_four_that_point_at_lost_questions_only(lost: set[int]) -> None:
    feedback = feedback_losing(lost)

    summary = summarise_offline(EXAM, feedback)
    recommendations = recommendations_from(summary, feedback)

    assert summary_check(feedback)(summary) is None
    assert summary.encouragement_message
    assert len(recommendations) == 0 if not lost else 2 <= len(recommendations) <= 4
    assert [entry.priority for entry in recommendations] == list(range(1, len(recommendations) + 1))
    for entry in recommendations:
        assert entry.related_questions
        assert set(entry.related_questions) <= lost
        assert entry.action


@given(
    st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=5), max_size=4), st.sets(st.integers(1, 60), min_size=1)
)
def test_what_a_model_recommends_has_to_point_at_lost_questions(related: list[list[int]], lost: set[int]) -> None:
    feedback = feedback_losing(lost)
    fits = 2 <= len(related) <= 4 and all(set(numbers) <= lost for numbers in related)

    assert (summary_check(feedback)(summary_of(*related)) is None) == fits


def test_full_marks_need_no_recommendation_whatever_a_model_says() -> None:
    feedback = feedback_losing(set())

    assert summary_check(feedback)(summary_of([1], [2])) is None
    assert recommendations_from(summary_of([1], [2]), feedback) == []


def test_the_question_that_lost_most_comes_first() -> None:
    feedback = feedback_losing({1, 53})

    assert [entry.question_number for entry in lost_questions(feedback)] == [53, 1]
    assert summarise_offline(EXAM, feedback).recommendations[0].related_questions == [53]


@pytest.mark.parametrize("earned_share", [0, 40, 50, 60, 70])
def test_every_band_has_a_message_of_its_own(earned_share: int) -> None:
    needed = EXAM.metadata.total_marks * (100 - earned_share) // 100
    lost: set[int] = set()
    for question in EXAM.questions:
        if sum(q.marks for q in EXAM.questions if q.question_number in lost) + question.marks <= needed:
            lost.add(question.question_number)
    messages = {
        summarise_offline(EXAM, feedback_losing(some)).encouragement_message
        for some in (lost, set(), set(range(1, 61)))
    }
    assert len(messages) == (2 if earned_share == 0 else 3)


def test_a_question_is_pointed_at_once() -> None:
    recommendations = recommendations_from(summary_of([3, 1, 3], [2]), feedback_losing({1, 2, 3}))

    assert [entry.related_questions for entry in recommendations] == [[1, 3], [2]]
