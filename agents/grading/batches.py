"""An exam cut into batches, the unit that is graded, kept and retried (seed 002): one section, one question type."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.grading.orders import LONGEST_ANSWER
from schemas.exam import MockExam, Question, QuestionType
from schemas.submission import AnswerResponse, SubmittedAnswer

_OUTPUT_SHARE = 0.75
"""Of the model's output limit: the estimate below is one."""
_QUESTION_TOKENS = 320
_CRITERION_TOKENS = 110
_PROMPT_CHARS = 100_000
"""About 25,000 tokens of questions and answers."""
LONGEST_TEXT = 4_000
"""Characters of one text of an exam that a prompt shows."""
LONGEST_LIST = 50
"""Entries of one list of a question that a prompt shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A question, and what the student gave for it, if anything."""

    question: Question
    section_id: str
    response: AnswerResponse | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Questions of one type of one section.

    `key` is `{section_id}_{question_type}_{count}`; the parts of a group that was split have `_part_N` after it.
    """

    key: str
    question_type: QuestionType
    items: tuple[Item, ...]


def batches_of(exam: MockExam, answers: Sequence[SubmittedAnswer], *, max_tokens: int) -> list[Batch]:
    """Cut an exam into batches, in its order, each small enough for an answer of `max_tokens`.

    Every question is in exactly one batch; the keys are unlike.
    """
    given = {answer.question_id: answer.response for answer in answers}
    batches = []
    for section in exam.sections:
        groups: dict[QuestionType, list[Item]] = {}
        for question in section.questions:
            item = Item(question=question, section_id=section.section_id, response=given.get(question.question_id))
            groups.setdefault(question.question_type, []).append(item)
        for question_type, items in groups.items():
            parts = list(_split(items, max_tokens))
            for number, part in enumerate(parts, start=1):
                key = f"{section.section_id}_{question_type}_{len(part)}"
                if len(parts) > 1:
                    key += f"_part_{number}"
                batches.append(Batch(key=key, question_type=question_type, items=tuple(part)))
    return batches


def _split(items: Sequence[Item], max_tokens: int) -> Iterator[list[Item]]:
    """Fill parts one after the other up to the limits; a question too large for them has a part of its own."""
    part: list[Item] = []
    tokens, chars = 0, 0
    for item in items:
        more_tokens, more_chars = _output_tokens(item.question), _prompt_chars(item)
        if part and (tokens + more_tokens > max_tokens * _OUTPUT_SHARE or chars + more_chars > _PROMPT_CHARS):
            yield part
            part, tokens, chars = [], 0, 0
        part.append(item)
        tokens, chars = tokens + more_tokens, chars + more_chars
    yield part


def _output_tokens(question: Question) -> int:
    """Estimate the tokens of one question's feedback."""
    criteria = len(question.key.marking_scheme) if question.question_type == "structured_response" else 0
    return _QUESTION_TOKENS + criteria * _CRITERION_TOKENS


def _prompt_chars(item: Item) -> int:
    """Count what the prompt shows of a question, cut as it cuts."""
    question, key = item.question, item.question.key
    known = question.misconceptions[:LONGEST_LIST]
    told = [
        question.question_stem,
        key.correct_answer,
        *key.acceptable_variations[:LONGEST_LIST],
        *(step.step for step in key.marking_scheme),
        *(option.text for option in question.cfu_config.options),
        *(text for entry in known for text in (entry.error_pattern, entry.feedback)),
    ]
    answer = item.response.text if item.response else ""
    return sum(min(len(text), LONGEST_TEXT) for text in told) + min(len(answer), LONGEST_ANSWER) + 200
