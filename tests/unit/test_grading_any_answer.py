"""Whatever a model makes up: it is refused, or every total is the sum of marks that are each within bounds."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.grading.agent import BatchResult, GradingAgent
from agents.grading.key import marks_by_key
from agents.grading.totals import overall_result, section_results
from clients.llm import Answer, Prompt
from schemas.errors import ModelMalformedError
from tests.exams import NAMES, graded_question, submission_of

numbers = st.integers(-3, 9)
criteria = st.lists(
    st.fixed_dictionaries(
        {
            "criterion_name": st.just("c"),
            "marks_earned": numbers,
            "marks_possible": numbers,
            "feedback": st.sampled_from(["f", ""]),
        }
    ),
    max_size=5,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "question_number": st.integers(-1, 70),
    "marks_earned": numbers | st.just(2.5) | st.just("all of them"),
    "marking_breakdown": st.none() | criteria,
    "where_you_went_wrong": st.none() | st.just(""),
    "correct_approach": st.just("") | st.none(),
    "misconception_detected": st.none() | st.just({"misconception_type": "m"}),
}
change = st.one_of(
    st.tuples(st.just("drop"), st.integers(0, 30), st.none()),
    st.tuples(st.just("repeat"), st.integers(0, 30), st.none()),
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), st.integers(0, 30), FIELDS[name])),
)


class MakesUp:
    """A provider whose answers give the marks that are drawn, and are then changed as drawn."""

    name = "fake/makes-up"

    def __init__(self, draw: st.DataObject) -> None:
        self._draw = draw

    async def generate(self, request: Prompt) -> Answer:
        asked = json.loads(request.data.removeprefix("<data>\n").removesuffix("\n</data>"))["questions"]
        questions = [graded_question(q, self._draw.draw(st.integers(0, q["marks"]))) for q in asked]
        for what, place, value in self._draw.draw(st.lists(change, max_size=2)):
            if not questions:
                break
            chosen = place % len(questions)
            if what == "drop":
                questions.pop(chosen)
            elif what == "repeat":
                questions.append(questions[chosen])
            else:
                questions[chosen] = questions[chosen] | {what: value}
        return Answer(text=json.dumps({"questions": questions}), model=self.name, finish_reason="STOP")


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_a_model_makes_up_the_totals_are_the_sums_by_hand(name: str, data: st.DataObject) -> None:
    submission, exam = submission_of(name)
    agent = GradingAgent(MakesUp(data))
    batches = agent.batches(exam, submission.answers)
    batch = batches[data.draw(st.integers(0, len(batches) - 1))]

    async def grade() -> BatchResult:
        return await agent.grade_batch(exam, batch)

    try:
        result = asyncio.run(grade())
    except ModelMalformedError:
        result = agent.grade_batch_offline(batch)

    feedback = result.feedback
    assert [entry.question_number for entry in feedback] == [item.question.question_number for item in batch.items]
    earned = possible = 0
    for item, entry in zip(batch.items, feedback, strict=True):
        by_key = marks_by_key(item.question, item.response)
        assert entry.marks_earned == by_key or (by_key is None and 0 <= entry.marks_earned <= item.question.marks)
        assert entry.marks_possible == item.question.marks
        assert entry.is_partially_correct == (0 < entry.marks_earned < entry.marks_possible)
        assert entry.correct_approach
        if entry.marking_breakdown:
            assert sum(criterion.marks_earned for criterion in entry.marking_breakdown) == entry.marks_earned
            assert all(0 <= c.marks_earned <= c.marks_possible for c in entry.marking_breakdown)
        earned, possible = earned + entry.marks_earned, possible + entry.marks_possible
    whole = overall_result(feedback)
    assert (whole.total_marks_earned, whole.total_marks_possible) == (earned, possible)
    [section] = section_results(exam, feedback)
    assert (section.marks_earned, section.marks_possible) == (earned, possible)
