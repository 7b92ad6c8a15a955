"""What people pipe into `pathstream produce`: every event gets through, nothing is lost without a word."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.cli.produce_input import Broken, EventReader, InputEvent


def read(text: str | bytes, topic: str = "learning_goal") -> list[InputEvent | Broken]:
    """All that a reader finds in a text."""
    raw = text.encode() if isinstance(text, str) else text
    reader = EventReader(topic)
    found = [item for line in raw.split(b"\n") for item in reader.feed(line)]
    return found + reader.close()


def events(found: list[InputEvent | Broken]) -> list[object]:
    """The contents of the events found; fails when something is broken."""
    assert not [item for item in found if isinstance(item, Broken)]
    return [json.loads(item.value) for item in found if isinstance(item, InputEvent)]


def test_json_lines() -> None:
    found = read('{"userId": "a"}\n\n  {"userId": "b"}\r\n')
    assert [item.value for item in found if isinstance(item, InputEvent)] == [
        b'{"userId": "a"}',
        b'{"userId": "b"}',
    ]


def test_one_object_over_many_lines_becomes_one_line_without_changing_a_number_or_a_string() -> None:
    text = '{\n  "userId": "a",\n  "eventData": {\n"n": 1.10,\n "s": "  { \\" \\u2028 "\n }\n}\n'
    (found,) = read(text)
    assert isinstance(found, InputEvent)
    assert found.value == b'{ "userId": "a", "eventData": { "n": 1.10, "s": "  { \\" \\u2028 " } }'


def test_objects_one_after_the_other() -> None:
    assert events(read('{"a":1}{"a":2} {"a":\n3} {"a":4}\n{\n"a":\n{\n"b":5}}')) == [
        {"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}, {"a": {"b": 5}},
    ]  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_event() -> None:
    assert events(read(b'\xef\xbb\xbf{"a": 1}')) == [{"a": 1}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("hello", "not a JSON object"),
        ('["userId"]', "not a JSON object"),
        ('{"a": 1,}', "column"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1', "does not end"),
        ('{"a": "x}', "string"),
        ('{"a": 1}}', "Expecting value"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "too deep"),
    ],
)
def test_a_broken_line_is_named_and_the_next_one_is_read(bad: str, reason: str) -> None:
    found = read(f'{{"userId": "before"}}\n{bad}\n{{"userId": "after"}}\n')
    broken = [item for item in found if isinstance(item, Broken)]
    assert [(item.first_line, item.last_line) for item in broken] == [(2, 2)]
    assert reason in broken[0].reason
    assert [item.key for item in found if isinstance(item, InputEvent)][-1] == b"after"


def test_bytes_that_are_no_text_are_named() -> None:
    found = read(b'{"a": "\xff"}\n{"a": 1}')
    assert isinstance(found[0], Broken)
    assert "UTF-8" in found[0].reason
    assert isinstance(found[1], InputEvent)


def test_every_line_of_a_broken_object_is_accounted_for() -> None:
    found = read('{\n "a": "open,\n "b": 2\n}\n{"userId": "after"}')
    lines = [(item.first_line, item.last_line) for item in found if isinstance(item, Broken)]
    assert lines == [(1, 2), (3, 4)]
    assert isinstance(found[-1], InputEvent)


def test_an_object_that_the_input_ends_in_is_named() -> None:
    (found,) = read('{"a":\n[1,\n')
    assert found == Broken(first_line=1, last_line=3, reason="the object does not end")


@pytest.mark.parametrize(
    ("topic", "event", "key"),
    [
        ("learning_goal", {"userId": "u1"}, b"u1"),
        ("learning_goal", {"user_id": "ü1"}, "ü1".encode()),
        ("learning_goal", {"user_id": 7}, b"7"),
        ("skills_gap_updated", {"requester_service": "s", "payload": {"user_id": "u1"}}, b"u1"),
        ("exam_submitted", {"eventData": {"submission": {}, "student_id": "s1"}}, b"s1"),
        ("exam_submitted", {"submission": {"student_id": "s1"}, "mock_exam": {}}, b"s1"),
        ("company_updated", {"company_id": "c1", "user_id": "u1"}, b"c1"),
        ("learning_goal", {"userId": "  "}, None),
        ("learning_goal", {"goal": "x"}, None),
    ],
)
def test_the_key_is_whose_event_it_is(topic: str, event: dict[str, object], key: bytes | None) -> None:
    (found,) = read(json.dumps(event), topic)
    assert isinstance(found, InputEvent)
    assert found.key == key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(), json_values), max_size=6),
    st.sampled_from([None, 0, 1, 4]),
    st.sampled_from(["unicode", "ascii"]),
    st.sampled_from(["", " ", "\n", "\r\n", "\n\n"]),
)
def test_any_objects_in_any_layout_come_through(
    objects: list[dict[str, object]], indent: int | None, letters: str, between: str
) -> None:
    text = between.join(json.dumps(item, indent=indent, ensure_ascii=letters == "ascii") for item in objects)
    assert events(read(text)) == objects


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ \n\ra1', max_size=60).map(str.encode))
def test_whatever_comes_every_line_with_content_is_told_about(raw: bytes) -> None:
    lines = raw.split(b"\n")
    reader = EventReader("learning_goal")
    told: set[int] = set()
    for number, line in enumerate([*lines, None], start=1):
        for item in reader.feed(line) if line is not None else reader.close():
            if isinstance(item, Broken):
                told.update(range(item.first_line, item.last_line + 1))
            else:
                told.update(range(item.line, number + 1))
    lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")  # a byte order mark is no content
    assert {number for number, line in enumerate(lines, start=1) if line.strip()} <= told
