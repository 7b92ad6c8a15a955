"""Keys of state: no two places share one, whatever their names hold."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.state import key_of

PARTS = st.lists(st.text(st.sampled_from("a\x00\xff\u00ff"), max_size=4), min_size=1, max_size=4)


@given(one=PARTS, other=PARTS)
def test_two_lists_of_parts_have_one_key_only_when_they_are_the_same(one: list[str], other: list[str]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(parts=PARTS, more=PARTS)
def test_the_key_of_the_first_parts_begins_that_of_all(parts: list[str], more: list[str]) -> None:
    assert key_of(*parts, *more) == key_of(*parts) + b"\x00" + key_of(*more)


@given(one=PARTS, other=PARTS)
def test_a_key_begins_with_another_only_when_its_parts_do(one: list[str], other: list[str]) -> None:
    assert key_of(*other).startswith(key_of(*one) + b"\x00") == (len(other) > len(one) and other[: len(one)] == one)
