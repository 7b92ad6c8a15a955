"""Known misconceptions: shown to a model, told to a student whose answer has them, and to nobody else."""

import json
from typing import Any

import pytest

from agents.grading.agent import GradingAgent
from clients.llm import Answer, Prompt
from schemas.errors import ModelTruncatedError
from schemas.evaluation import QuestionFeedback
from schemas.exam import MockExam
from schemas.submission import ExamSubmission
from tests.exams import front_end_submission, graded_question, made_exam

FOUND = {
    "misconception_type": "other_event",
    "common_error": "counts the blue ones",
    "why_its_wrong": "they were not asked for",
    "correct_thinking": "say what is asked for",
    "practice_suggestion": "name the event first",
}


class SeesOneEverywhere:
    """Gives the marks it is told to, and sees a misconception in every answer."""

    name = "fake/eager"

    def __init__(self, marks: int, longest: int = 100) -> None:
        self.shown: list[dict[str, Any]] = []
        self.calls: list[int] = []
        self._marks, self._longest = marks, longest

    async def generate(self, request: Prompt) -> Answer:
        questions = json.loads(request.data.removeprefix("<data>\n").removesuffix("\n</data>"))["questions"]
        self.calls.append(len(questions))
        if len(questions) > self._longest:
            raise ModelTruncatedError("MAX_TOKENS")
        self.shown += questions
        graded = [graded_question(q, self._marks) | {"misconception_detected": FOUND} for q in questions]
        return Answer(text=json.dumps({"questions": graded}), model=self.name, finish_reason="STOP")


def choosing(option: str | None) -> tuple[ExamSubmission, MockExam]:
    content = front_end_submission()
    content["answers"][0]["response"] = {"selected_option": option}
    submission = ExamSubmission.model_validate(content)
    assert submission.mock_exam is not None
    return submission, submission.mock_exam


async def graded(agent: GradingAgent, option: str | None) -> QuestionFeedback:
    submission, exam = choosing(option)
    (batch,) = agent.batches(exam, submission.answers)
    return (await agent.grade_batch(exam, batch)).feedback[0]


async def test_without_a_model_an_answer_that_is_a_known_error_is_told_its_misconception() -> None:
    entry = await graded(GradingAgent(None), "B")

    assert entry.misconception_detected is not None
    assert entry.misconception_detected.common_error == "5/8"
    assert entry.where_you_went_wrong == "Count the reds."


@pytest.mark.parametrize("option", ["A", None])
async def test_nobody_else_is_told_one(option: str | None) -> None:
    assert (await graded(GradingAgent(None), option)).misconception_detected is None
    assert (await graded(GradingAgent(SeesOneEverywhere(2 if option else 0)), option)).misconception_detected is None


async def test_a_model_is_shown_what_is_known_and_its_words_are_kept() -> None:
    model = SeesOneEverywhere(0)

    entry = await graded(GradingAgent(model), "B")

    assert model.shown[0]["known_misconceptions"] == [{"error_pattern": "5/8", "feedback": "Count the reds."}]
    assert entry.misconception_detected is not None
    assert entry.misconception_detected.model_dump() == FOUND


async def test_a_batch_whose_answer_was_cut_off_is_graded_in_parts() -> None:
    submission = ExamSubmission.model_validate(made_exam([("a", "short_text", 8)]))
    model = SeesOneEverywhere(0, longest=2)
    agent, exam = GradingAgent(model), submission.mock_exam
    assert exam is not None
    (batch,) = agent.batches(exam, submission.answers)

    result = await agent.grade_batch(exam, batch)

    assert [entry.question_number for entry in result.feedback] == list(range(1, 9))
    assert sorted(question["number"] for question in model.shown) == list(range(1, 9)), "each is graded once"
    assert max(model.calls) == 8
