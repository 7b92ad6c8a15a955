"""A mock exam as the front end sends it (seed 003), checked for consistency once, here: marks, ids, numbers, options.

What does not add up is no valid event: the message names the place.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.envelope import InputModel, readable_id

QuestionType = Literal["mcq", "mcq_multiselect", "numeric", "short_text", "structured_response"]
Difficulty = Literal["easy", "medium", "hard"]
CalculatorPolicy = Literal["non_calc", "calc", "mixed"]

IdText = Annotated[str, Field(max_length=200), AfterValidator(readable_id)]
Marks = Annotated[int, Field(ge=0, le=10_000)]

_FEWEST_OPTIONS = 2
_OF_OPTIONS: tuple[QuestionType, ...] = ("mcq", "mcq_multiselect")
_SEPARATORS = re.compile(r"\s*(?:[,;/&+]|\band\b)\s*|\s+", re.IGNORECASE)
_SEPARATORS_OF_NUMBERS = re.compile(r"\s*(?:[,;]|\band\b)\s*|\s+", re.IGNORECASE)
"""3/4 and 3+4 are not the options 3 and 4."""


class LenientText(InputModel):
    """Numbers are taken where a text is meant: a key of 42 is "42"."""

    model_config = InputModel.model_config | {"coerce_numbers_to_str": True}


class MCQOption(LenientText):
    """One option of a multiple-choice question."""

    label: str = Field(min_length=1, max_length=50)
    text: str
    is_correct: bool = False
    feedback: str | None = None


class MarkingStep(LenientText):
    """One step of a marking scheme and what it is worth, in marks."""

    step: str = Field(min_length=1)
    marks: Marks


class AnswerKey(LenientText):
    """What is correct, what else counts as correct, and how marks are given."""

    correct_answer: str
    acceptable_variations: list[str] = Field(default_factory=list)
    marking_scheme: list[MarkingStep] = Field(default_factory=list)


class Misconception(LenientText):
    """A known error and what to say to it."""

    error_pattern: str
    feedback: str


class CFUConfig(InputModel):
    """Check for understanding: the question's type again, its options and its key."""

    type: QuestionType
    expected_format: str | None = None
    options: list[MCQOption] = Field(default_factory=list)
    answer_key: AnswerKey


class Question(InputModel):
    """One question with its key and known misconceptions; `marks` is what can be earned."""

    question_id: IdText
    question_number: int = Field(ge=1)
    marks: Marks
    difficulty: Difficulty
    question_stem: str = Field(min_length=1)
    question_stem_plain: str = ""
    question_type: QuestionType
    cfu_config: CFUConfig
    hints: list[str] = Field(default_factory=list)
    misconceptions: list[Misconception] = Field(default_factory=list)

    @property
    def key(self) -> AnswerKey:
        """What counts as correct."""
        return self.cfu_config.answer_key

    @property
    def correct_labels(self) -> frozenset[str]:
        """The labels of the correct options: those marked so, else those that the key names; empty without options."""
        options = self.cfu_config.options
        marked = frozenset(option.label for option in options if option.is_correct)
        return marked or next(iter(_readings(self)), frozenset())

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.cfu_config.type != self.question_type:
            raise ValueError(f"question_type is {self.question_type}, cfu_config.type is {self.cfu_config.type}")
        scheme = self.key.marking_scheme
        if scheme and (total := sum(step.marks for step in scheme)) != self.marks:
            raise ValueError(f"the marking scheme gives {total} marks, the question has {self.marks}")
        if self.question_type in _OF_OPTIONS:
            _check_options(self)
        return self


class Section(InputModel):
    """A section; its marks are those of its questions."""

    section_id: IdText
    section_label: str = ""
    section_order: int = Field(default=0, ge=0)
    section_marks: Marks
    section_instructions: str = ""
    questions: list[Question] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if (total := sum(question.marks for question in self.questions)) != self.section_marks:
            raise ValueError(f"section_marks is {self.section_marks}, its questions have {total}")
        return self


class ExamMetadata(InputModel):
    """What stands above an exam. `time_limit` is in minutes, 0 for none."""

    title: str
    subject: str = ""
    level: str = ""
    total_marks: Marks
    time_limit: int = Field(ge=0)
    instructions: str = ""
    calculator_policy: CalculatorPolicy = "mixed"


class MockExam(InputModel):
    """A complete exam with its keys: question ids and numbers are each there once in all of it."""

    exam_id: IdText
    course_id: IdText
    metadata: ExamMetadata
    sections: list[Section] = Field(min_length=1)

    @property
    def questions(self) -> list[Question]:
        """All questions, in the exam's order."""
        return [question for section in self.sections for question in section.questions]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        total = sum(section.section_marks for section in self.sections)
        if total != self.metadata.total_marks:
            raise ValueError(f"metadata.totalMarks is {self.metadata.total_marks}, the sections have {total}")
        placed = [
            (f"sections.{s}.questions.{q}", question)
            for s, section in enumerate(self.sections)
            for q, question in enumerate(section.questions)
        ]
        _check_once("section_id", ((f"sections.{s}", part.section_id) for s, part in enumerate(self.sections)))
        _check_once("question_id", ((place, question.question_id) for place, question in placed))
        _check_once("question_number", ((place, question.question_number) for place, question in placed))
        return self


def _check_once(what: str, values: Iterable[tuple[str, object]]) -> None:
    first: dict[object, str] = {}
    for place, value in values:
        if value in first:
            raise ValueError(f"{place}.{what} stands at {first[value]} already")
        first[value] = place


def _check_options(question: Question) -> None:
    options = question.cfu_config.options
    if len(options) < _FEWEST_OPTIONS:
        raise ValueError(f"cfu_config.options: {len(options)} of them; a {question.question_type} needs two or more")
    _check_once("label", ((f"cfu_config.options.{n}", _folded(o.label)) for n, o in enumerate(options)))
    marked = {option.label for option in options if option.is_correct}
    readings = _readings(question)
    if marked and readings and marked not in readings:
        raise ValueError(
            f"cfu_config.answer_key.correct_answer names {', '.join(sorted(readings[0]))},"
            f" marked as correct: {', '.join(sorted(marked))}"
        )
    correct = question.correct_labels
    if not correct:
        raise ValueError("cfu_config: no option is marked as correct and correct_answer names none")
    if question.question_type == "mcq" and len(correct) > 1:
        raise ValueError(f"cfu_config.options: {len(correct)} are correct; an mcq has one, an mcq_multiselect several")


def _readings(question: Question) -> list[frozenset[str]]:
    """The labels that `correct_answer` may mean, the likeliest first: a label, an option's text, a list of either.

    More than one where the options are labelled as they are worded: 3 may be the third, or the one that says 3.
    """
    said = _folded(question.key.correct_answer)
    options = question.cfu_config.options
    labels = {_folded(option.label): option.label for option in options}
    texts = [_folded(option.text) for option in options]
    times = Counter(texts)
    once = {text: option.label for text, option in zip(texts, options, strict=True) if times[text] == 1}
    has_numerals = any(label.isdigit() for label in labels)
    parts = [part for part in (_SEPARATORS_OF_NUMBERS if has_numerals else _SEPARATORS).split(said) if part]
    tried = [(labels, [said]), (once, [said]), (labels, parts)]
    if question.question_type == "mcq_multiselect":
        tried.append((once, parts))
    read = [frozenset(known[name] for name in names) for known, names in tried if all(name in known for name in names)]
    return [labels_read for labels_read in dict.fromkeys(read) if labels_read]


def _folded(text: str) -> str:
    return text.strip().casefold()
