"""What counts as an event, and what is said of what does not: never its content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from schemas.codec import decode, dump
from schemas.errors import EventError, EventTooLargeError, InvalidEventError, InvalidJsonError
from schemas.events import LearningGoalEvent

GOOD = {"eventId": "e1", "userId": "u1", "eventData": {"learningGoal": "Learn Python"}}


def read(value: bytes | None, max_bytes: int = 2**20) -> LearningGoalEvent:
    return decode(LearningGoalEvent, value, max_bytes=max_bytes)


def changed(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_the_seeds_event_is_read_in_camel_case_and_in_snake_case() -> None:
    snake = {
        "event_id": "e1",
        "event_type": "LEARNING_GOAL",
        "user_id": "u1",
        "event_data": {
            "learning_goal": "Learn Python",
            "current_level": "advanced",
            "available_time": "2 hours/day",
            "preferences": {"format": "video"},
        },
        "unknown": 1,
    }
    event = read(json.dumps(snake).encode())
    assert (event.event_id, event.user_id) == ("e1", "u1")
    assert event.event_data.current_level == "advanced"
    assert read(changed()).event_data.available_time == "flexible"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, InvalidEventError),
        (b"", InvalidEventError),
        (b"\xff\xfe", InvalidJsonError),
        (b'{"userId": "\xff"}', InvalidJsonError),
        (b"hello", InvalidJsonError),
        (b"[" * 10_000 + b"]" * 10_000, InvalidJsonError),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, InvalidJsonError),
        (b'{"userId": NaN}', InvalidJsonError),
        (b'{"userId": "\\ud800"}', InvalidJsonError),
        (b"[1]", InvalidEventError),
        (b"null", InvalidEventError),
        (b"1", InvalidEventError),
        (changed(userId=None), InvalidEventError),
        (changed(userId=7), InvalidEventError),
        (changed(userId=" "), InvalidEventError),
        (changed(userId="\u00a0\u2003"), InvalidEventError),
        (changed(userId="u" * 201), InvalidEventError),
        (changed(userId="a\u0007b"), InvalidEventError),
        (changed(userId="a\nb"), InvalidEventError),
        (changed(eventType="OTHER"), InvalidEventError),
        (changed(eventData=[]), InvalidEventError),
        (changed(eventData={"learningGoal": "x" * 2001}), InvalidEventError),
        (changed(eventData={"learningGoal": ""}), InvalidEventError),
        (changed(eventData={"learningGoal": "x", "currentLevel": "wizard"}), InvalidEventError),
        (json.dumps({"eventData": {"learningGoal": "x"}}).encode(), InvalidEventError),
    ],
)
def test_what_is_no_event_is_named_for_what_it_is(value: bytes | None, error: type[EventError]) -> None:
    with pytest.raises(error):
        read(value)


def test_null_means_not_given() -> None:
    event = read(changed(metadata=None, eventData={"learningGoal": "x", "preferences": None, "currentLevel": None}))
    assert (event.metadata, event.event_data.preferences, event.event_data.current_level) == ({}, {}, "beginner")


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_byte_order_mark_is_named(start: bytes) -> None:
    with pytest.raises(InvalidJsonError, match="byte order mark"):
        read(start + changed())


def test_an_event_over_the_limit_is_not_even_parsed() -> None:
    with pytest.raises(EventTooLargeError, match="MAX_EVENT_BYTES"):
        read(b"{" * 100, max_bytes=99)


@pytest.mark.parametrize(
    "line", [b"{", b'  "eventId": "evt_test123",', b'  "eventData": {', b"  },", b"}", b'  "userId": "u"']
)
def test_one_line_of_a_pretty_printed_event_is_told_apart_with_its_remedy(line: bytes) -> None:
    """Seed 004's `echo '{ ... }' | kafka-console-producer` sends each line as a record of its own."""
    with pytest.raises(InvalidJsonError, match="pathstream produce"):
        read(line)


@given(st.text(min_size=3, alphabet=st.characters(min_codepoint=0x3041, max_codepoint=0x3096)))
def test_no_message_repeats_what_the_event_held(secret: str) -> None:
    for value in (
        changed(eventData={"learningGoal": 1, "currentLevel": secret}),
        changed(userId=[secret], eventType=secret),
        f"{{ {secret} }}".encode(),
    ):
        with pytest.raises(EventError) as caught:
            read(value)
        assert secret not in str(caught.value)


class _Kept(BaseModel):
    """What a flow might keep, with a model within."""

    model_config = ConfigDict(extra="allow", ser_json_bytes="base64", ser_json_inf_nan="strings")

    text: str = Field(alias="theText")
    number: float
    raw: bytes
    within: BaseModel


class _Within(BaseModel):
    name: str | None = None


@given(text=st.text(st.characters(codec="utf-8")), number=st.floats(), raw=st.binary(), name=st.none() | st.just("n"))
def test_what_is_kept_of_a_model_is_the_json_that_pydantic_makes_of_it(
    text: str, number: float, raw: bytes, name: str | None
) -> None:
    kept = _Kept(theText=text, number=number, raw=raw, within=_Within(name=name), more=[1])
    assert dump(kept) == kept.model_dump_json().encode()
