"""Batches, totals and bands: every question once, every mark counted once, bands at their exact limits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.grading.batches import batches_of
from agents.grading.prompt import batch_data
from agents.grading.totals import grade_of, overall_result, percentage, section_results
from schemas.evaluation import QuestionFeedback
from schemas.submission import ExamSubmission
from tests.exams import NAMES, made_exam, submission_of

KINDS = ("mcq", "mcq_multiselect", "numeric", "short_text", "structured_response")


@pytest.mark.parametrize(
    ("earned", "possible", "grade", "passed", "percent"),
    [
        (70, 100, "A", True, 70.0),
        (7, 10, "A", True, 70.0),
        (69_999, 100_000, "B", True, 69.99),
        (60, 100, "B", True, 60.0),
        (59_999, 100_000, "C", True, 59.99),
        (50, 100, "C", True, 50.0),
        (49_999, 100_000, "D", True, 49.99),
        (40, 100, "D", True, 40.0),
        (39_999, 100_000, "No Award", False, 39.99),
        (0, 100, "No Award", False, 0.0),
        (100, 100, "A", True, 100.0),
        (0, 0, "No Award", False, 0.0),
    ],
)
def test_bands_begin_exactly_at_their_limit(
    earned: int,
    possible: int,
    grade: str,
    passed: bool,  # noqa: FBT001
    percent: float,
) -> None:
    assert grade_of(earned, possible) == (grade, passed)
    assert percentage(earned, possible) == percent


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_percentage_shown_never_says_another_band_than_the_grade(one: int, other: int) -> None:
    earned, possible = sorted((one, other))
    shown = percentage(earned, possible)
    bands = {"A": 70, "B": 60, "C": 50, "D": 40, "No Award": 0}
    grade, passed = grade_of(earned, possible)
    assert grade == next(name for name, lowest in bands.items() if shown >= lowest)
    assert passed == (shown >= 40)


def entry(number: int, section: str, earned: int, possible: int) -> QuestionFeedback:
    return QuestionFeedback(
        question_id=f"q{number}",
        question_number=number,
        section_id=section,
        marks_earned=earned,
        marks_possible=possible,
        is_correct=earned == possible,
        feedback_summary="s",
        correct_approach="c",
        related_concept="r",
    )


marks = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted)


@given(st.lists(marks, max_size=16))
def test_totals_are_the_sums_of_the_questions(pairs: list[list[int]]) -> None:
    _, exam = submission_of("national_5_mathematics")
    ids = ("section_a", "section_b")
    feedback = [entry(n, ids[n % 2], earned, possible) for n, (earned, possible) in enumerate(pairs)]

    whole, parts = overall_result(feedback), section_results(exam, feedback)

    assert whole.total_marks_earned == sum(earned for earned, _ in pairs)
    assert whole.total_marks_possible == sum(possible for _, possible in pairs)
    assert sum(part.marks_earned for part in parts) == whole.total_marks_earned
    assert sum(part.marks_possible for part in parts) == whole.total_marks_possible
    assert {part.section_id for part in parts} == {found.section_id for found in feedback}


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_one_section_and_type_and_is_named_after_them(name: str) -> None:
    submission, exam = submission_of(name)

    batches = batches_of(exam, submission.answers, max_tokens=100_000)

    keys = [batch.key for batch in batches]
    assert len(set(keys)) == len(keys)
    for batch in batches:
        section_id = batch.items[0].section_id
        assert {item.section_id for item in batch.items} == {section_id}
        assert {item.question.question_type for item in batch.items} == {batch.question_type}
        assert batch.key == f"{section_id}_{batch.question_type}_{len(batch.items)}"


groups = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a_mcq"]), st.sampled_from(KINDS), st.integers(1, 12)), min_size=1, max_size=8
)


@given(groups, st.sampled_from([1, 500, 2_000, 8_192]), st.sampled_from([0, 30_000]))
def test_every_question_is_in_one_batch_and_every_batch_fits(
    made_of: list[tuple[str, str, int]], max_tokens: int, words: int
) -> None:
    submission = ExamSubmission.model_validate(made_exam(made_of, words=words))
    assert submission.mock_exam is not None

    batches = batches_of(submission.mock_exam, submission.answers, max_tokens=max_tokens)

    numbers = [item.question.question_number for batch in batches for item in batch.items]
    assert sorted(numbers) == sorted(found.question_number for found in submission.mock_exam.questions)
    assert len({batch.key for batch in batches}) == len(batches)
    for batch in batches:
        assert len(batch.items) == 1 or len(batch.items) * 320 <= max_tokens * 0.75
        shown = sum(min(len(item.response.text), 20_000) for item in batch.items if item.response)
        assert len(batch.items) == 1 or shown <= 100_000


def test_the_parts_of_a_large_batch_are_named_apart() -> None:
    submission = ExamSubmission.model_validate(made_exam([("a", "mcq", 40)]))
    assert submission.mock_exam is not None

    keys = [batch.key for batch in batches_of(submission.mock_exam, submission.answers, max_tokens=8_192)]

    assert keys == ["a_mcq_19_part_1", "a_mcq_19_part_2", "a_mcq_2_part_3"]


def test_what_a_key_holds_counts_for_the_size_of_a_prompt() -> None:
    content = made_exam([("a", "short_text", 10)])
    for question in content["mock_exam"]["sections"][0]["questions"]:
        key = question["cfu_config"]["answer_key"]
        key |= {"correct_answer": "k" * 9_000, "acceptable_variations": ["v" * 2_000] * 20}
    submission = ExamSubmission.model_validate(content)
    assert submission.mock_exam is not None

    batches = batches_of(submission.mock_exam, submission.answers, max_tokens=100_000)

    assert [len(batch.items) for batch in batches] == [2] * 5
    assert all(len(json.dumps(batch_data(submission.mock_exam, batch))) < 100_000 for batch in batches)
