"""What real front ends send beside what their types say: taken, so that nobody waits for an answer in vain."""

import json
from typing import Any

import pytest

from agents.grading.key import marks_by_key
from agents.grading.rules import answers_do_not_match
from schemas import codec
from schemas.submission import ExamSubmission
from tests.exams import front_end_submission


def decode(content: dict[str, Any]) -> ExamSubmission:
    return codec.decode(ExamSubmission, json.dumps(content).encode(), max_bytes=2**20)


@pytest.mark.parametrize("response", [{"selected_option": 3}, {"selected_options": [3]}, {"selected_option": "3"}])
def test_an_option_labelled_by_a_number_is_selected_by_a_number(response: dict[str, Any]) -> None:
    content = front_end_submission()
    options = [{"label": 3, "text": 8, "is_correct": True}, {"label": 4, "text": 9}]
    content["mock_exam"]["sections"][0]["questions"][0]["cfu_config"] |= {
        "options": options,
        "answer_key": {"correct_answer": 3},
    }
    content["answers"][0]["response"] = response

    taken = decode(content)

    assert taken.mock_exam is not None
    assert answers_do_not_match(taken, taken.mock_exam) is None
    assert marks_by_key(taken.mock_exam.questions[0], taken.answers[0].response) == 2


def test_a_text_that_is_a_number_in_json_is_a_text() -> None:
    content = front_end_submission()
    content["answers"][0]["response"] = {"response_text": 42}

    assert decode(content).answers[0].response.text == "42"


def test_a_drawing_may_be_any_object_of_the_front_end() -> None:
    content = front_end_submission()
    content["answers"][0]["response"] = {"drawing_data": [{"x": 1, "y": 2}]}

    assert decode(content).answers[0].response.drawing_data


def test_a_clock_that_was_set_back_is_answered_and_no_dead_letter() -> None:
    """Seed 003's front end computes both times from the same clock: it sends a negative duration with them."""
    content = front_end_submission()
    content["submission_metadata"] |= {"submitted_at": "2024-01-15T08:59:30.000Z", "time_spent_minutes": -1}

    taken = decode(content)

    assert taken.mock_exam is not None
    found = answers_do_not_match(taken, taken.mock_exam)
    assert found is not None
    assert found.details == {"problems": ["submission_metadata.submitted_at: is before started_at"]}
