"""Partition counts that fit, and what is said of those that do not."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.context import Context
from consumers.engine.counts import count_problem, shared_topics
from consumers.engine.flow import Flow


async def _handle(_event: Any, _context: Context) -> None: ...


FLOW: Flow[Any] = Flow(
    name="f", group_id="g", inputs=("a", "b"), outputs=(), decode=lambda _value, _topic: None, handle=_handle,
    stateful=True,
)  # fmt: skip
COUNT = st.integers(1, 4)


@given(st.lists(COUNT, min_size=5, max_size=5), st.none() | COUNT)
def test_only_one_count_that_is_also_the_one_the_state_was_begun_with_is_in_order(
    found: list[int], begun_with: int | None
) -> None:
    counts = dict(zip(shared_topics(FLOW), found, strict=True))
    problem = count_problem(FLOW, counts, begun_with)
    all_the_same = len({*found, begun_with if begun_with is not None else found[0]}) == 1
    assert (problem is None) == all_the_same
    if problem is not None:
        assert all(f"{topic} has {count}" in problem for topic, count in counts.items())
        assert "g-repartition, g-state, g-seen and run `pathstream topics create`" in problem
        assert "add partitions" not in problem, "that would lose the state of every learner who moves"
