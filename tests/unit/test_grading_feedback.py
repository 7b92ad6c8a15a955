"""What becomes of a model's answer: any answer that it may give, the totals are the sums and the key wins."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.grading.agent import GradingAgent
from agents.grading.batches import Batch, batches_of
from agents.grading.feedback import batch_check, feedback_from
from agents.grading.key import is_answered, marks_by_key
from agents.grading.offline import grade_offline
from agents.grading.prompt import batch_data
from agents.grading.summary import summarise_offline
from agents.grading.totals import overall_result, section_results
from schemas.evaluation import QuestionFeedback
from schemas.exam import MockExam
from schemas.grading import GradedBatch
from schemas.submission import ExamSubmission
from tests.exams import NAMES, graded_question, made_exam, submission_of

OUTPUT_TOKENS = 8_192


def batches_in(name: str) -> tuple[MockExam, list[Batch]]:
    submission, exam = submission_of(name)
    return exam, batches_of(exam, submission.answers, max_tokens=OUTPUT_TOKENS)


def answer_to(exam: MockExam, batch: Batch, marks: Mapping[int, int]) -> GradedBatch:
    """A model's answer that gives these marks; zero where none are named."""
    asked = batch_data(exam, batch)["questions"]
    return GradedBatch.model_validate({"questions": [graded_question(q, marks.get(q["number"], 0)) for q in asked]})


def right_marks(batch: Batch) -> dict[int, int]:
    """What the key gives, and nothing where it takes a reader."""
    return {item.question.question_number: marks_by_key(item.question, item.response) or 0 for item in batch.items}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_marks_a_model_gives_every_total_is_the_sum_by_hand(name: str, data: st.DataObject) -> None:
    exam, batches = batches_in(name)
    feedback: list[QuestionFeedback] = []
    for batch in batches:
        marks = {
            item.question.question_number: data.draw(st.integers(0, item.question.marks + 1)) for item in batch.items
        }
        answer = answer_to(exam, batch, marks)
        if batch_check(batch)(answer) is None:
            feedback += feedback_from(batch, answer).feedback
        else:
            feedback += GradingAgent(None).grade_batch_offline(batch).feedback

    whole, parts = overall_result(feedback), section_results(exam, feedback)

    by_number = {question.question_number: question for question in exam.questions}
    assert [entry.question_number for entry in feedback] == [n for b in batches for n in right_marks(b)]
    assert all(0 <= entry.marks_earned <= by_number[entry.question_number].marks for entry in feedback)
    assert whole.total_marks_earned == sum(entry.marks_earned for entry in feedback)
    assert whole.total_marks_possible == exam.metadata.total_marks
    for part, section in zip(parts, exam.sections, strict=True):
        own = [entry for entry in feedback if entry.section_id == section.section_id]
        assert part.marks_earned == sum(entry.marks_earned for entry in own)
        assert part.marks_possible == section.section_marks
    for entry in feedback:
        if entry.marking_breakdown:
            assert sum(criterion.marks_earned for criterion in entry.marking_breakdown) == entry.marks_earned
            assert sum(criterion.marks_possible for criterion in entry.marking_breakdown) == entry.marks_possible


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("generosity", ["full marks for all", "nothing for anybody"])
def test_where_the_key_decides_it_wins_and_a_warning_says_so(name: str, generosity: str) -> None:
    exam, batches = batches_in(name)
    disagreements = 0
    for batch in batches:
        answer = answer_to(
            exam,
            batch,
            {i.question.question_number: i.question.marks if generosity.startswith("full") else 0 for i in batch.items},
        )
        graded = feedback_from(batch, answer)
        by_number = {entry.question_number: entry for entry in graded.feedback}
        for item in batch.items:
            by_key = marks_by_key(item.question, item.response)
            entry = by_number[item.question.question_number]
            said = next(q.marks_earned for q in answer.questions if q.question_number == entry.question_number)
            assert entry.marks_earned == (said if by_key is None else by_key)
            if by_key is not None and by_key != said:
                disagreements += 1
                assert "You did question" not in entry.feedback_summary, "words of the model on marks that are not its"
                assert any(f"question {entry.question_number}:" in warning for warning in graded.warnings)
    assert disagreements


def structured(name: str = "national_5_mathematics") -> tuple[MockExam, Batch]:
    exam, batches = batches_in(name)
    return exam, next(batch for batch in batches if batch.question_type == "structured_response")


def changed(answer: GradedBatch, place: int, **changes: Any) -> GradedBatch:
    questions = list(answer.questions)
    questions[place] = questions[place].model_copy(update=changes)
    return answer.model_copy(update={"questions": questions})


def test_an_answer_has_to_be_complete_and_to_add_up() -> None:
    exam, batch = structured()
    good = answer_to(exam, batch, {11: 3, 13: 2})
    check = batch_check(batch)
    [first, *_] = good.questions
    criteria = first.marking_breakdown or []

    assert check(good) is None
    problems = {
        "question 11 is there 0 times": good.model_copy(update={"questions": good.questions[1:]}),
        "question 11 is there 2 times": good.model_copy(update={"questions": [*good.questions, first]}),
        "question 99 is not among": changed(good, 0, question_number=99),
        "marks_earned is 9 of 3 possible": changed(good, 0, marks_earned=9),
        "the criteria add up to 3, marks_earned is 2": changed(good, 0, marks_earned=2, where_you_went_wrong="x"),
        "one entry per step": changed(good, 0, marking_breakdown=criteria[:2]),
        "criterion 1 earned 3 of 1": changed(
            good, 0, marking_breakdown=[criteria[0].model_copy(update={"marks_earned": 3}), *criteria[1:]]
        ),
        "where_you_went_wrong is missing": changed(good, 1, where_you_went_wrong=" "),
    }
    for problem, answer in problems.items():
        assert problem in (check(answer) or "no problem"), problem


@pytest.mark.parametrize(("possible", "problem"), [(2, None), (3, "the criteria offer 3 marks, the question 2")])
def test_criteria_of_the_models_own_offer_what_the_question_does(possible: int, problem: str | None) -> None:
    content = made_exam([("a", "structured_response", 1)])
    content["mock_exam"]["sections"][0]["questions"][0]["cfu_config"]["answer_key"]["marking_scheme"] = []
    submission = ExamSubmission.model_validate(content)
    assert submission.mock_exam is not None
    (batch,) = batches_of(submission.mock_exam, submission.answers, max_tokens=OUTPUT_TOKENS)
    criterion = {"criterion_name": "c", "marks_earned": 1, "marks_possible": possible, "feedback": "f"}
    asked = graded_question({"number": 1, "marks": 2, "type": "structured_response"}, 1)
    answer = GradedBatch.model_validate({"questions": [asked | {"marking_breakdown": [criterion]}]})

    told = batch_check(batch)(answer)

    assert told is None if problem is None else problem in (told or "")


def test_praise_for_lost_marks_and_blame_for_full_ones_are_left_out() -> None:
    exam, batch = structured()
    answer = changed(answer_to(exam, batch, {11: 3}), 0, where_you_went_wrong="nothing really")

    feedback = feedback_from(batch, answer).feedback

    assert feedback[0].is_correct
    assert feedback[0].where_you_went_wrong is None
    assert not feedback[1].is_correct


@pytest.mark.parametrize("name", NAMES)
def test_grading_without_a_model_follows_the_key_is_complete_and_the_same_every_time(name: str) -> None:
    _, batches = batches_in(name)
    agent = GradingAgent(None)
    for batch in batches:
        result = agent.grade_batch_offline(batch)
        assert result == agent.grade_batch_offline(batch)
        assert result.generated_by == "offline"
        for item, entry in zip(batch.items, result.feedback, strict=True):
            by_key = marks_by_key(item.question, item.response)
            if item.question.question_type != "structured_response":
                assert entry.marks_earned == (by_key or 0)
            elif is_answered(item.question, item.response):
                assert "words of the marking scheme" in entry.feedback_summary, "a guess that does not say so"
            assert entry.correct_approach
            assert entry.feedback_summary
            assert bool(entry.where_you_went_wrong) == (entry.marks_earned < entry.marks_possible)
        if batch.question_type == "structured_response":
            assert "graded without a model" in result.warnings[0]


def worth_nothing(*, answered: bool) -> tuple[MockExam, list[Batch]]:
    """Questions for no marks; every second one, of even number, is right."""
    kinds = ("mcq", "mcq_multiselect", "numeric", "short_text")
    content = made_exam([("a", kind, 2) for kind in kinds], marks=0) | ({} if answered else {"answers": []})
    submission = ExamSubmission.model_validate(content)
    assert submission.mock_exam is not None
    return submission.mock_exam, batches_of(submission.mock_exam, submission.answers, max_tokens=OUTPUT_TOKENS)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("by_model", [True, False])
def test_what_is_right_at_no_marks_is_said_by_the_key(*, answered: bool, by_model: bool) -> None:
    exam, batches = worth_nothing(answered=answered)
    feedback: list[QuestionFeedback] = []
    for batch in batches:
        answer = answer_to(exam, batch, {})
        feedback += feedback_from(batch, answer).feedback if by_model else grade_offline(batch)

    right = {entry.question_number for entry in feedback if entry.is_correct}
    assert right - {7} == ({2, 4, 6, 8} if answered else set()), "7 takes a reader"
    for entry in feedback:
        assert (entry.where_you_went_wrong is None) == entry.is_correct
        assert entry.is_correct or "right, well done" not in entry.feedback_summary
    assert "Full marks" not in summarise_offline(exam, feedback).encouragement_message
