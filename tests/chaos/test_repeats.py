"""Which repeated calls a fault explains, and which none does."""

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.repeats import SAFE_SECONDS, Call, Span, find_repeats

FAULT = Span(number=1, kind="kill_worker", victims=frozenset({"w0.1"}), begin=100.0, end=110.0)
GRACEFUL = Span(number=2, kind="restart_worker", victims=frozenset(), begin=100.0, end=110.0)

workers = st.sampled_from(["w0.1", "w0.2", "w1.1"])
times = st.floats(0, 200)
calls = st.lists(
    st.builds(
        lambda event, worker, begun, lasted: Call(0, event, "read", worker, begun, begun + lasted),
        st.sampled_from(["a:1", "b:1"]),
        workers,
        times,
        st.floats(0.005, 0.1),
    ),
    max_size=12,
)


def repeat_of(earlier: tuple[str, float, float], later: tuple[str, float, float], *spans: Span) -> Span | None:
    """The fault that explains two calls of one step, each as worker, begun and ended."""
    [repeat] = find_repeats([Call(0, "a:1", "read", *earlier), Call(1, "a:1", "read", *later)], spans)
    return repeat.fault


def test_a_call_in_flight_when_its_worker_was_killed_is_explained() -> None:
    assert repeat_of(("w0.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), FAULT) is FAULT


def test_a_call_that_had_just_ended_is_explained_and_an_older_one_is_not() -> None:
    young, old = 100.0 - SAFE_SECONDS + 0.01, 100.0 - SAFE_SECONDS - 0.01
    assert repeat_of(("w0.1", young - 0.05, young), ("w1.1", 108.0, 108.1), FAULT) is FAULT
    assert repeat_of(("w0.1", old - 0.05, old), ("w1.1", 108.0, 108.1), FAULT) is None


def test_a_call_of_a_worker_that_was_not_struck_is_not_explained() -> None:
    assert repeat_of(("w1.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), FAULT) is None


def test_what_the_victims_next_process_does_is_not_explained() -> None:
    assert repeat_of(("w0.2", 105.0, 105.1), ("w1.1", 108.0, 108.1), FAULT) is None


def test_a_fault_in_good_order_explains_nothing() -> None:
    assert repeat_of(("w0.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), GRACEFUL) is None


def test_a_frozen_worker_that_wakes_up_may_repeat_what_others_did_until_it_knows() -> None:
    assert repeat_of(("w1.1", 104.0, 104.1), ("w0.1", 108.0, 108.1), FAULT) is FAULT
    assert repeat_of(("w1.1", 104.0, 104.1), ("w0.1", 110.5, 110.6), FAULT) is None


def test_a_worker_that_wakes_up_may_not_repeat_what_it_had_done_itself() -> None:
    assert repeat_of(("w0.1", 50.0, 50.1), ("w0.1", 108.0, 108.1), FAULT) is None
    assert repeat_of(("w1.1", 50.0, 50.1), ("w0.1", 108.0, 108.1), FAULT) is None


def test_a_repeat_before_the_fault_is_not_explained_by_it() -> None:
    assert repeat_of(("w0.1", 99.7, 99.8), ("w0.1", 99.9, 99.95), FAULT) is None


@given(calls)
def test_without_faults_every_call_but_the_first_of_its_step_is_unexplained(made: list[Call]) -> None:
    repeats = list(find_repeats(made, []))
    assert len(repeats) == len(made) - len({call.event for call in made})
    assert all(repeat.fault is None for repeat in repeats)


@given(calls)
def test_what_is_explained_had_a_victim_and_was_not_safe(made: list[Call]) -> None:
    for repeat in find_repeats(made, [FAULT]):
        if repeat.fault is not None:
            assert "w0.1" in (repeat.earlier.worker, repeat.later.worker)
            assert repeat.later.begun >= FAULT.begin
            assert repeat.age <= SAFE_SECONDS
