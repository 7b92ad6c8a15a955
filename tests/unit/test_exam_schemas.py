"""Exams and submissions at the edge: seed 003's shapes in, and a message that names the place for what is wrong."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas import codec
from schemas.errors import InvalidEventError
from schemas.submission import ExamSubmission
from tests.exams import front_end_submission as submission

LIMIT = 2**20
Change = Callable[[dict[str, Any]], object]


def decode(content: object) -> ExamSubmission:
    return codec.decode(ExamSubmission, json.dumps(content).encode(), max_bytes=LIMIT)


def test_what_the_front_end_sends_is_taken() -> None:
    taken = decode(submission())

    assert taken.user_id == "student-1"
    assert taken.event_id is None
    assert taken.answers[0].was_flagged
    assert taken.answers[0].time_spent_seconds == 41.5
    assert taken.mock_exam is not None
    assert [found.question_number for found in taken.mock_exam.questions] == [1, 2]
    assert taken.mock_exam.questions[0].correct_labels == {"A"}
    assert taken.exam_context.sections_completed == 0


def test_the_types_of_the_specification_are_taken_too() -> None:
    content = submission()
    content["answers"][0]["was_flagged"] = content["answers"][0].pop("is_flagged")
    content["exam_context"]["sections_completed"] = ["a"]

    taken = decode(content)

    assert taken.answers[0].was_flagged
    assert taken.exam_context.sections_completed == ["a"]


def test_camel_case_is_taken_all_the_way_down() -> None:
    def camel(value: object) -> object:
        if isinstance(value, dict):
            return {_camel(name): camel(part) for name, part in value.items()}
        return [camel(part) for part in value] if isinstance(value, list) else value

    def _camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(part.title() for part in rest)

    assert decode(camel(submission())) == decode(submission())


def test_the_upstreams_envelope_is_taken_and_gives_the_events_id() -> None:
    envelope = {"eventId": "e-1", "eventType": "EXAM_SUBMITTED", "userId": "student-1", "eventData": submission()}

    taken = decode(envelope)

    assert taken.event_id == "e-1"
    assert taken.model_copy(update={"event_id": None}) == decode(submission())


def test_null_is_absent_and_an_answer_may_be_without_a_response() -> None:
    content = submission(mock_exam=None)
    content["answers"][0]["response"] = None

    taken = decode(content)

    assert taken.mock_exam is None
    assert taken.answers[0].response.options == ()


def test_an_envelope_of_another_learner_is_refused() -> None:
    with pytest.raises(InvalidEventError, match=r"userId is not eventData\.student_id"):
        decode({"eventId": "e", "eventType": "EXAM_SUBMITTED", "userId": "someone-else", "eventData": submission()})


def _first(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["mock_exam"]["sections"][0]["questions"][0]
    return found


INCONSISTENT: dict[str, tuple[Change, str]] = {
    "section marks": (
        lambda c: c["mock_exam"]["sections"][0].update(section_marks=5),
        r"mock_exam\.sections\.0: section_marks is 5, its questions have 4",
    ),
    "total marks": (
        lambda c: c["mock_exam"]["metadata"].update(totalMarks=5),
        r"mock_exam: metadata\.totalMarks is 5, the sections have 4",
    ),
    "a question id twice": (
        lambda c: _first(c).update(question_id="q2"),
        r"mock_exam: sections\.0\.questions\.1\.question_id stands at sections\.0\.questions\.0 already",
    ),
    "a question number twice": (
        lambda c: _first(c).update(question_number=2),
        r"sections\.0\.questions\.1\.question_number stands at sections\.0\.questions\.0 already",
    ),
    "a section twice": (
        lambda c: (
            c["mock_exam"]["sections"].append(copy.deepcopy(c["mock_exam"]["sections"][0])),
            c["mock_exam"]["metadata"].update(totalMarks=8),
        ),
        r"sections\.1\.section_id stands at sections\.0 already",
    ),
    "an option twice": (
        lambda c: _first(c)["cfu_config"]["options"][1].update(label="a "),
        r"sections\.0\.questions\.0: cfu_config\.options\.1\.label stands at cfu_config\.options\.0 already",
    ),
    "a type that is not its own": (
        lambda c: _first(c)["cfu_config"].update(type="numeric"),
        r"question_type is mcq, cfu_config\.type is numeric",
    ),
    "a key that names another option": (
        lambda c: _first(c)["cfu_config"]["answer_key"].update(correct_answer="B"),
        r"correct_answer names B, marked as correct: A",
    ),
    "no correct option": (
        lambda c: (
            _first(c)["cfu_config"]["options"][0].update(is_correct=False),
            _first(c)["cfu_config"]["answer_key"].update(correct_answer="none of these"),
        ),
        r"no option is marked as correct",
    ),
    "an mcq with two correct options": (
        lambda c: (
            _first(c)["cfu_config"]["options"][1].update(is_correct=True),
            _first(c)["cfu_config"]["answer_key"].update(correct_answer="both"),
        ),
        r"2 are correct; an mcq has one",
    ),
    "one option": (lambda c: _first(c)["cfu_config"]["options"].pop(), r"cfu_config\.options: 1 of them"),
    "a scheme that gives other marks": (
        lambda c: _first(c)["cfu_config"]["answer_key"].update(marking_scheme=[{"step": "s", "marks": 3}]),
        r"the marking scheme gives 3 marks, the question has 2",
    ),
    "negative marks": (lambda c: _first(c).update(marks=-1), r"sections\.0\.questions\.0\.marks"),
    "no sections": (lambda c: c["mock_exam"].update(sections=[]), r"mock_exam\.sections"),
    "an unknown question type": (
        lambda c: c["answers"][0].update(question_type="essay"),
        r"answers\.0\.question_type",
    ),
    "a time that is none": (
        lambda c: c["submission_metadata"].update(started_at="yesterday"),
        r"submission_metadata\.started_at",
    ),
    "a blank student": (lambda c: c.update(student_id=" "), r"student_id: blank"),
    "no attempt": (lambda c: c.pop("attempt_id"), r"attempt_?[iI]d: Field required"),
}


@pytest.mark.parametrize(("change", "message"), INCONSISTENT.values(), ids=INCONSISTENT.keys())
def test_what_does_not_fit_together_is_refused_and_the_place_named(change: Change, message: str) -> None:
    content = submission()
    change(content)

    with pytest.raises(InvalidEventError, match=message):
        decode(content)


@pytest.mark.parametrize("named", ["A", "a", " A ", "3/8"])
def test_a_key_may_name_its_option_by_label_or_text(named: str) -> None:
    content = submission()
    for option in _first(content)["cfu_config"]["options"]:
        option.pop("is_correct")
    _first(content)["cfu_config"]["answer_key"]["correct_answer"] = named

    taken = decode(content)

    assert taken.mock_exam is not None
    assert taken.mock_exam.questions[0].correct_labels == {"A"}


@pytest.mark.parametrize("named", ["A, C", "A and C", "a;c", "C A"])
def test_the_key_of_a_multi_select_may_name_several(named: str) -> None:
    content = submission()
    config = _first(content)["cfu_config"]
    _first(content)["question_type"] = config["type"] = "mcq_multiselect"
    config["options"] = [{"label": label, "text": f"option {label}"} for label in "ABC"]
    config["answer_key"]["correct_answer"] = named

    taken = decode(content)

    assert taken.mock_exam is not None
    assert taken.mock_exam.questions[0].correct_labels == {"A", "C"}


def numbered(key: str, texts: list[str], correct: str, kind: str = "mcq") -> dict[str, Any]:
    """An exam whose first question has options labelled 1, 2, ..."""
    content = submission()
    options = [
        {"label": str(n), "text": text, "is_correct": str(n) in correct} for n, text in enumerate(texts, start=1)
    ]
    _first(content).update(question_type=kind)
    _first(content)["cfu_config"] |= {"type": kind, "options": options, "answer_key": {"correct_answer": key}}
    content["answers"] = []
    return content


NUMBERED = [
    ("3", ["3", "5", "7", "9"], "1", "mcq"),
    ("3", ["5", "7", "3", "9"], "3", "mcq"),
    ("4", ["3", "5", "7", "9"], "4", "mcq"),
    ("3/4", ["1/4", "0.75", "1/2", "1/3"], "2", "mcq"),
    ("3+4", ["1", "seven", "8", "9"], "2", "mcq"),
    ("2, 3", ["2", "3", "5", "8"], "12", "mcq_multiselect"),
    ("1 and 3", ["2", "4", "6", "8"], "13", "mcq_multiselect"),
]


@pytest.mark.parametrize(("key", "texts", "correct", "kind"), NUMBERED)
def test_a_key_may_be_meant_as_a_label_or_as_what_an_option_says(
    key: str, texts: list[str], correct: str, kind: str
) -> None:
    taken = decode(numbered(key, texts, correct, kind))

    assert taken.mock_exam is not None
    assert taken.mock_exam.questions[0].correct_labels == set(correct)


def test_a_key_that_names_another_option_in_every_reading_is_refused() -> None:
    with pytest.raises(InvalidEventError, match="correct_answer names 3, marked as correct: 2"):
        decode(numbered("3", ["3", "5", "7", "9"], "2"))


def test_a_key_that_is_a_number_in_json_is_a_text() -> None:
    content = submission()
    config = _first(content)["cfu_config"]
    _first(content)["question_type"] = config["type"] = "numeric"
    config["answer_key"] = {"correct_answer": 42, "acceptable_variations": [42.0]}

    taken = decode(content)

    assert taken.mock_exam is not None
    assert taken.mock_exam.questions[0].key.correct_answer == "42"
