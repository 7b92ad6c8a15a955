"""A model refuses one student's answer: the rest of its batch is graded all the same."""

import json

from agents.grading.agent import GradingAgent
from clients.llm import Answer, Prompt
from schemas.errors import ModelBlockedError
from schemas.submission import ExamSubmission
from tests.exams import graded_question, made_exam


class Squeamish:
    """Refuses every prompt with question 5 in it."""

    name = "fake/squeamish"

    async def generate(self, request: Prompt) -> Answer:
        data = json.loads(request.data.removeprefix("<data>\n").removesuffix("\n</data>"))
        if any(question["number"] == 5 for question in data["questions"]):
            raise ModelBlockedError("SAFETY")
        graded = [graded_question(question, 1) for question in data["questions"]]
        return Answer(text=json.dumps({"questions": graded}), model=self.name, finish_reason="STOP")


async def test_one_refused_answer_is_graded_offline_and_the_model_grades_the_others() -> None:
    submission = ExamSubmission.model_validate(made_exam([("a", "structured_response", 8)]))
    exam, agent = submission.mock_exam, GradingAgent(Squeamish())
    assert exam is not None
    (batch,) = agent.batches(exam, submission.answers)

    result = await agent.grade_batch(exam, batch)

    assert [entry.question_number for entry in result.feedback] == list(range(1, 9))
    words = {entry.question_number: entry.feedback_summary for entry in result.feedback}
    assert [number for number, summary in words.items() if "without a model" in summary] == [5]
    assert "question 5: the model refused it, it was graded without a model" in result.warnings
    assert result.graders == ["fake/squeamish", "offline"]


class Silent:
    """Never gives an answer of use."""

    name = "fake/silent"

    async def generate(self, _request: Prompt) -> Answer:
        raise ModelBlockedError("SAFETY")


async def test_a_summary_that_the_model_does_not_give_is_computed_and_says_so() -> None:
    submission = ExamSubmission.model_validate(made_exam([("a", "mcq", 4)]))
    exam, agent = submission.mock_exam, GradingAgent(Silent())
    assert exam is not None
    (batch,) = agent.batches(exam, submission.answers)
    feedback = agent.grade_batch_offline(batch).feedback

    result = await agent.summarise(exam, feedback)

    assert result.generated_by == "offline"
    assert result.warnings == ["recommendations and encouragement were computed, since the model gave none"]
    assert 2 <= len(result.recommendations) <= 4
    assert result.encouragement_message
