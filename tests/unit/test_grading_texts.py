"""What is nearly the same text or number and is another one: the key gives no marks for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.grading.batches import Batch, Item
from agents.grading.numbers import number_in
from agents.grading.offline import grade_item, grade_offline
from schemas.submission import AnswerResponse
from tests.unit.test_grading_key import grade_offline_marks, marks, question

OTHERS = [
    ("5", ".5"), (".5", "5"), ("11/2", "1 1/2"), ("1½", "11/2"), (r"1\frac{1}{2}", r"\frac{11}{2}"), ("34", "3 4"),
    ("2³", "23"), ("2³x", "23x"), ("10⁻²", "10-2"), ("x = 1½ or 2", "x = 11/2 or 2"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "written"), OTHERS)
def test_digits_that_mean_another_number_are_no_match(key: str, written: str) -> None:
    assert marks(question("short_text", key), response_text=written) is None
    assert grade_offline_marks(question("short_text", key), written) == 0


SAME = [
    ("0.5x", ".5x"), ("1½", r"1\frac{1}{2}"), ("x = 1½ or 2", "x=1 1/2 or 2"), ("2³x", "2^3 x"), ("10⁻²", "10^-2"),
    ("H₂O", "H2O"), (r"x\frac{1}{2}", "x 1/2"), ("1 000", "1000"), ("(2, 3)", "( 2,3 )"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "written"), SAME)
def test_the_same_in_another_way_is_a_match(key: str, written: str) -> None:
    assert marks(question("short_text", key), response_text=written) == 2


@pytest.mark.parametrize(
    ("key", "written"), [("0.125", "0,125"), ("1234.567", "1234,567"), ("-0.125", "\u22120,125 m"), ("0.25", "00,25")]
)
def test_a_decimal_comma_groups_nothing(key: str, written: str) -> None:
    assert marks(question("numeric", key), response_text=written) == 2


@given(st.integers(1, 10**15), st.sampled_from([",", " ", "\u00a0", "\u202f"]))
def test_digits_grouped_by_three_are_one_number(value: int, separator: str) -> None:
    number = number_in(f"{value:,}".replace(",", separator))

    assert number is not None
    assert number.value == value


@pytest.mark.parametrize("written", ["1,23,456", "0 125", "1,000,5", "1.234,567"])
def test_what_is_grouped_in_no_known_way_is_left_to_a_reader(written: str) -> None:
    assert number_in(written) is None
    assert marks(question("numeric", "5"), response_text=written) is None


@pytest.mark.parametrize(
    ("key", "written", "earned"),
    [("0.5", "50%", None), ("50%", "0.5", None), ("3/8", "37.5 %", None), ("0.5", "60%", 0), ("50", "50%", 2),
     ("50%", "50.1%", 0)],
)  # fmt: skip
def test_whether_a_percentage_was_asked_for_a_reader_knows(key: str, written: str, earned: int | None) -> None:
    assert marks(question("numeric", key), response_text=written) == earned


def test_a_number_sent_as_one_is_known_by_all_of_its_digits() -> None:
    asked = question("structured_response", "1234567")
    scheme = {"step": "Population 1234567", "marks": 2}
    key = asked.key.model_validate({"correct_answer": "1234567", "marking_scheme": [scheme]})
    asked = asked.model_copy(update={"cfu_config": asked.cfu_config.model_copy(update={"answer_key": key})})
    response = AnswerResponse(numeric_value=1234567, response_text="population")

    assert grade_item(Item(question=asked, section_id="s", response=response)).marks_earned == 2


@pytest.mark.timeout(10)
def test_a_question_of_thousands_of_options_or_steps_is_graded_in_no_time() -> None:
    """An event of 1 MiB has room for them; whoever grades it may not stand still over it."""
    asked = question("mcq", "A", correct="A")
    options = [{"label": str(n), "text": f"text {n}"} for n in range(20_000)]
    content = asked.model_dump()
    content["cfu_config"] |= {"options": options, "answer_key": {"correct_answer": "7"}}
    many_options = type(asked).model_validate(content)
    content = question("structured_response", "x", marks=0).model_dump()
    content["cfu_config"]["answer_key"]["marking_scheme"] = [{"step": f"Name w{n}", "marks": 0} for n in range(20_000)]
    many_steps = type(asked).model_validate(content)
    essay = AnswerResponse(response_text=" ".join(f"word{n}" for n in range(2_500)))

    for about, response in ((many_options, AnswerResponse(selected_option="7")), (many_steps, essay)):
        item = Item(question=about, section_id="s", response=response)
        batch = Batch(key="k", question_type=about.question_type, items=(item,))
        assert len(grade_offline(batch)) == 1
