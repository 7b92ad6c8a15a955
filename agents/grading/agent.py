"""From a batch of answers to their feedback: asks the model, checks its answer; grades by key and scheme without one.

Called by the exam flow inside steps. Knows no topic and no student.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import structlog
from pydantic import BaseModel

from agents.grading.batches import Batch, batches_of
from agents.grading.feedback import batch_check, feedback_from
from agents.grading.offline import grade_offline
from agents.grading.prompt import batch_data, batch_warnings, summary_data
from agents.grading.summary import recommendations_from, summarise_offline, summary_check
from agents.prompts import Template, data_block, load_template
from clients.llm import Asked, Model, Prompt, ask
from schemas.errors import ModelBlockedError, ModelError, ModelTruncatedError
from schemas.evaluation import LearningRecommendation, QuestionFeedback
from schemas.exam import MockExam
from schemas.grading import GradedBatch, Summary
from schemas.outputs import JsonObject
from schemas.submission import SubmittedAnswer

Decision = TypeVar("Decision", bound=BaseModel)

OFFLINE: Literal["offline"] = "offline"

_AND = ", "

_log = structlog.get_logger(__name__)


class BatchResult(BaseModel):
    """A batch's complete feedback: the marks are checked, the key has won."""

    feedback: list[QuestionFeedback]
    warnings: list[str]
    generated_by: str
    """`provider/model`, or `offline`; both, with a comma between, where the model refused a part."""

    @property
    def graders(self) -> list[str]:
        """Who graded it."""
        return self.generated_by.split(_AND)


class SummaryResult(BaseModel):
    """What a student takes away from all graded batches."""

    recommendations: list[LearningRecommendation]
    encouragement_message: str
    generated_by: str
    warnings: list[str]


class GradingAgent:
    """Seed 003's grader. Without a `model` everything is graded offline."""

    def __init__(self, model: Model | None, *, temperature: float = 0.3, max_tokens: int = 8192) -> None:
        self._model = model
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._batch_template = load_template("grade_batch")
        self._summary_template = load_template("grade_summary")

    @property
    def has_model(self) -> bool:
        """Whether grading offline is a degradation."""
        return self._model is not None

    def batches(self, exam: MockExam, answers: Sequence[SubmittedAnswer]) -> list[Batch]:
        """Cut the exam into batches whose feedback fits into one answer of the model."""
        return batches_of(exam, answers, max_tokens=self._max_tokens)

    async def grade_batch(self, exam: MockExam, batch: Batch) -> BatchResult:
        """Grade every question of a batch, or raise the ModelError that prevented it.

        A batch whose answer does not fit the model's output after all, or that the model refuses, is graded in halves:
        one student's answer must not keep the others from being graded. A single question that is refused is graded
        offline.
        """
        if self._model is None:
            return self.grade_batch_offline(batch)
        try:
            asked = await self._ask(
                self._model, self._batch_template, batch_data(exam, batch), GradedBatch, batch_check(batch)
            )
        except ModelTruncatedError:
            if len(batch.items) == 1:
                raise
            return await self._grade_halves(exam, batch)
        except ModelBlockedError:
            return self._grade_refused(batch) if len(batch.items) == 1 else await self._grade_halves(exam, batch)
        graded = feedback_from(batch, asked.value)
        return BatchResult(
            feedback=graded.feedback,
            warnings=[*graded.warnings, *batch_warnings(batch)],
            generated_by=asked.model,
        )

    def grade_batch_offline(self, batch: Batch) -> BatchResult:
        """Grade a batch by key, variations and the marking scheme's words; never fails."""
        warnings = batch_warnings(batch)
        if batch.question_type == "structured_response":
            warnings.insert(0, f"batch {batch.key}: graded without a model, by the words of the marking scheme")
        return BatchResult(feedback=grade_offline(batch), warnings=warnings, generated_by=OFFLINE)

    async def summarise(self, exam: MockExam, feedback: Sequence[QuestionFeedback]) -> SummaryResult:
        """Word recommendations and encouragement; computed ones stand in for a model that gives none."""
        if self._model is None:
            return self.summarise_offline(exam, feedback)
        try:
            asked = await self._ask(
                self._model, self._summary_template, summary_data(exam, feedback), Summary, summary_check(feedback)
            )
        except ModelError as exc:
            _log.warning("evaluation summed up without the model", model=self._model.name, error=type(exc).__name__)
            result = self.summarise_offline(exam, feedback)
            result.warnings.append("recommendations and encouragement were computed, since the model gave none")
            return result
        return _summary_result(asked.value, feedback, asked.model)

    def summarise_offline(self, exam: MockExam, feedback: Sequence[QuestionFeedback]) -> SummaryResult:
        """Compute recommendations and encouragement from the marks; never fails."""
        return _summary_result(summarise_offline(exam, feedback), feedback, OFFLINE)

    async def _grade_halves(self, exam: MockExam, batch: Batch) -> BatchResult:
        middle = len(batch.items) // 2
        first = await self.grade_batch(exam, replace(batch, items=batch.items[:middle]))
        second = await self.grade_batch(exam, replace(batch, items=batch.items[middle:]))
        return BatchResult(
            feedback=first.feedback + second.feedback,
            warnings=first.warnings + second.warnings,
            generated_by=_AND.join(dict.fromkeys([*first.graders, *second.graders])),
        )

    def _grade_refused(self, batch: Batch) -> BatchResult:
        """Nothing of the answer goes into the warning: whatever was refused is in it."""
        (item,) = batch.items
        result = self.grade_batch_offline(batch)
        refused = f"question {item.question.question_number}: the model refused it, it was graded without a model"
        return result.model_copy(update={"warnings": [refused, *result.warnings]})

    async def _ask(
        self,
        model: Model,
        template: Template,
        data: JsonObject,
        schema: type[Decision],
        check: Callable[[Decision], str | None],
    ) -> Asked[Decision]:
        prompt = Prompt(
            instructions=template.instructions,
            data=data_block(data),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
        )
        return await ask(model, prompt, schema, check=check)


def _summary_result(summary: Summary, feedback: Sequence[QuestionFeedback], generated_by: str) -> SummaryResult:
    return SummaryResult(
        recommendations=recommendations_from(summary, feedback),
        encouragement_message=summary.encouragement_message,
        generated_by=generated_by,
        warnings=[],
    )
