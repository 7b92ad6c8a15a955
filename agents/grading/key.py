"""What the answer key alone decides about an answer: where it decides, it wins over any model."""

from collections.abc import Sequence

from agents.grading.numbers import Number, exact, number_in, same_number
from agents.grading.orders import answer_in
from agents.grading.texts import one_way
from schemas.exam import Question
from schemas.submission import AnswerResponse


def is_answered(question: Question, response: AnswerResponse | None) -> bool:
    """Whether there is anything to grade in the fields that a question of this type reads.

    Orders to the grader are no answer, and a drawing is none that can be graded.
    """
    if response is None:
        return False
    if question.question_type in ("mcq", "mcq_multiselect"):
        return bool(response.options)
    return response.numeric_value is not None or bool(answer_in(response).text)


def marks_by_key(question: Question, response: AnswerResponse | None) -> int | None:
    """The marks that the key gives, or None where it takes a reader.

    Nothing answered: 0. Options: all or nothing for one option; of several, each wrong one takes away what a right one
    gives. A number: equal within ±0.001 to the key or a variation, or written like one; None where its name or unit is
    another one, or where it is 50 % of a 0.5. A short text: written like the key or a variation, or the same number of
    the same, else None.
    """
    if response is None or not is_answered(question, response):
        return 0
    match question.question_type:
        case "mcq" | "mcq_multiselect":
            return _option_marks(question, response)
        case "numeric":
            return _number_marks(question, response)
        case "short_text":
            return question.marks if matches_text(question, response) else None
        case "structured_response":
            return None


def is_right_by_key(question: Question, response: AnswerResponse | None) -> bool | None:
    """Whether the key says that all of it is right, also where there are no marks for it; None where it cannot say."""
    by_key = marks_by_key(question.model_copy(update={"marks": 1}), response)
    return None if by_key is None else by_key == 1


def selected(question: Question, response: AnswerResponse | None) -> frozenset[str]:
    """The labels of the options selected, as the exam writes them; an option that it does not have stays as sent."""
    labels = {option.label.strip().casefold(): option.label for option in question.cfu_config.options}
    return frozenset(labels.get(option.casefold(), option) for option in (response.options if response else ()))


def matches_text(question: Question, response: AnswerResponse) -> bool:
    """Whether what was written is the key or one of its variations: as text, or as a number with its name and unit."""
    written = answer_in(response).text
    if written and one_way(written) in {one_way(text) for text in _accepted(question)}:
        return True
    given = _given_number(response)
    return given is not None and any(
        same_number(given.value, number.value) and (given.name, given.unit) == (number.name, number.unit)
        for number in _accepted_numbers(question)
    )


def _option_marks(question: Question, response: AnswerResponse) -> int:
    chosen, correct = selected(question, response), question.correct_labels
    if question.question_type == "mcq":
        return question.marks if chosen == correct else 0
    balance = len(chosen & correct) - len(chosen - correct)
    return question.marks * max(balance, 0) // len(correct)


def _number_marks(question: Question, response: AnswerResponse) -> int | None:
    given = _given_number(response)
    comparable = _comparable(given, _accepted_numbers(question)) if given is not None else []
    if given is not None and any(same_number(given.value, number.value) for number in comparable):
        return question.marks
    if given is not None and comparable:
        return None if any(_is_its_percentage(given, number) for number in comparable) else 0
    return question.marks if matches_text(question, response) else None


def _comparable(given: Number, accepted: Sequence[Number]) -> list[Number]:
    """Those of the name and the unit that were given, or all where one side has none."""
    if given.name and any(number.name for number in accepted):
        accepted = [number for number in accepted if number.name == given.name]
    if given.unit and any(number.unit for number in accepted):
        accepted = [number for number in accepted if number.unit == given.unit]
    return list(accepted)


def _is_its_percentage(one: Number, other: Number) -> bool:
    """Whether one of the two is the other in percent, as 50 % is 0.5: whether that was asked for, a reader knows."""
    if (one.unit == "%") is (other.unit == "%"):
        return False
    shares = [number.value / 100 if number.unit == "%" else number.value for number in (one, other)]
    return same_number(shares[0], shares[1])


def _given_number(response: AnswerResponse) -> Number | None:
    if response.numeric_value is not None:
        return Number(exact(response.numeric_value))
    return number_in(answer_in(response).text)


def _accepted(question: Question) -> Sequence[str]:
    return (question.key.correct_answer, *question.key.acceptable_variations)


def _accepted_numbers(question: Question) -> list[Number]:
    return [number for text in _accepted(question) if (number := number_in(text)) is not None]
