"""Which repeated calls a fault explains, and which none does."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.repeats import (
    COMMIT_INTERVAL_SECONDS,
    LATEST_SECONDS,
    OLDEST_SECONDS,
    Call,
    Kept,
    Span,
    count_at_stake,
    find_repeats,
)

KILL = Span(number=1, kind="kill_worker", killed=frozenset({"w0.1"}), begin=100.0, end=110.0, known_by=110.0)
OUTAGE = Span(number=2, kind="freeze_broker", blind=frozenset({"w0.1"}), begin=100.0, end=110.0, known_by=108.0)
FREEZE = dataclasses.replace(OUTAGE, kind="freeze_worker", overtaken=True)
FULL_DISK = Span(number=3, kind="fill_disk", full=frozenset({"w0.1"}), begin=100.0, end=110.0, known_by=110.0)
GRACEFUL = Span(number=4, kind="restart_worker", begin=100.0, end=110.0, known_by=110.0)
NOTHING = Kept(frozenset(), {"a": 0})

Made = tuple[str, float, float]
"""A call of one step as worker, begun and ended."""

workers = st.sampled_from(["w0.1", "w0.2", "w1.1"])
calls = st.lists(
    st.builds(
        lambda event, worker, begun, lasted: (event, worker, begun, begun + lasted),
        st.sampled_from(["a:1", "b:1"]),
        workers,
        st.floats(80, 130),
        st.floats(0.005, 3.0),
    ),
    max_size=12,
).map(lambda made: [Call(n, event, "read", *rest) for n, (event, *rest) in enumerate(made)])
kept_ids = st.frozensets(st.integers(0, 11))


def why(earlier: Made, later: Made, *spans: Span, kept: bool = False, others: tuple[Made, ...] = ()) -> str | None:
    """Why the second call of a step is explained; `others` are calls of the same task whose results were kept."""
    made = [Call(0, "a:1", "read", *earlier), Call(1, "a:1", "read", *later)]
    made += [Call(2 + n, f"a:{2 + n}", "read", *other) for n, other in enumerate(others)]
    ids = {*range(2, 2 + len(others)), *([0] if kept else [])}
    [repeat] = find_repeats(made, spans, Kept(ids, {"a": 0}))
    return repeat.why


def test_a_call_in_flight_when_its_worker_was_killed_is_explained() -> None:
    assert why(("w0.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), KILL) == "in flight"


def test_a_young_result_is_explained_and_one_that_waited_for_a_commit_and_an_older_one_is_not() -> None:
    young = 100.0 - COMMIT_INTERVAL_SECONDS + 0.01
    assert why(("w0.1", young - 0.05, young), ("w1.1", 108.0, 108.1), KILL) == "younger than one interval"
    assert why(("w0.1", 98.9, 99.0), ("w1.1", 108.0, 108.1), KILL) == "waiting for a commit"
    old = 100.0 - OLDEST_SECONDS - 0.01
    assert why(("w0.1", old - 0.05, old), ("w1.1", 108.0, 108.1), KILL) is None


def test_a_result_may_be_older_when_the_fault_struck_amid_another_one() -> None:
    outage = dataclasses.replace(GRACEFUL, kind="kill_broker", begin=95.0)
    assert why(("w0.1", 95.0, 95.1), ("w1.1", 108.0, 108.1), KILL, outage) == "waiting for a commit"
    assert why(("w0.1", 91.0, 91.1), ("w1.1", 108.0, 108.1), KILL, outage) is None


def test_a_result_that_a_later_commit_left_behind_is_not_explained() -> None:
    lost, again = ("w0.1", 99.4, 99.5), ("w1.1", 108.0, 108.1)
    assert why(lost, again, KILL, others=(("w0.1", 99.5, 99.55),)) == "waiting for a commit"
    assert why(lost, again, KILL, others=(("w0.1", 99.5, 99.7),)) is None


def test_a_kept_result_is_not_asked_for_again() -> None:
    assert why(("w0.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), KILL, kept=True) is None


def test_a_call_of_a_worker_that_was_not_struck_is_not_explained() -> None:
    assert why(("w1.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), KILL) is None
    assert why(("w0.2", 105.0, 105.1), ("w1.1", 108.0, 108.1), KILL) is None


def test_a_fault_in_good_order_explains_nothing() -> None:
    assert why(("w0.1", 99.98, 100.03), ("w1.1", 108.0, 108.1), GRACEFUL) is None


def test_what_was_in_flight_at_an_outage_is_lost_only_when_another_process_has_had_its_task() -> None:
    begun, again = ("w0.1", 99.98, 100.03), ("w0.1", 109.0, 109.1)
    assert why(begun, ("w1.1", 104.0, 104.1), OUTAGE) == "in flight"
    assert why(begun, again, OUTAGE, others=(("w1.1", 104.0, 104.1),)) == "in flight"
    assert why(begun, again, OUTAGE) is None
    assert why(begun, again, FREEZE) == "in flight"  # the fault waited until another one had it


def test_what_a_cut_off_worker_begins_is_lost_until_it_has_to_know() -> None:
    assert why(("w0.1", 104.0, 104.1), ("w1.1", 109.0, 109.1), FREEZE) == "begun while cut off"
    assert why(("w0.1", 108.5, 108.6), ("w1.1", 109.0, 109.1), FREEZE) is None


def test_a_frozen_worker_that_wakes_up_may_ask_again_for_what_others_did_until_it_has_to_know() -> None:
    did = "w1.1", 104.0, 104.1
    assert why(did, ("w0.1", 107.9, 108.1), FREEZE, kept=True) == "asked for unknowingly"
    assert why(did, ("w0.1", 108.5, 108.6), FREEZE, kept=True) is None
    assert why(("w1.1", 50.0, 50.1), ("w0.1", 107.9, 108.1), FREEZE, kept=True) is None


def test_a_full_disk_has_its_worker_start_over() -> None:
    assert why(("w0.1", 104.0, 104.1), ("w0.1", 105.0, 105.1), FULL_DISK) == "started over on a full disk"
    assert why(("w0.1", 104.0, 104.1), ("w0.1", 105.0, 105.1), FULL_DISK, kept=True) is None
    assert why(("w1.1", 104.0, 104.1), ("w1.1", 105.0, 105.1), FULL_DISK) is None


def test_a_repeat_before_the_fault_or_long_after_it_is_not_explained() -> None:
    late = 110.0 + LATEST_SECONDS
    assert why(("w0.1", 99.7, 99.8), ("w0.1", 99.9, 99.95), KILL) is None
    assert why(("w0.1", 99.98, 100.03), ("w1.1", late - 0.1, late), KILL) == "in flight"
    assert why(("w0.1", 99.98, 100.03), ("w1.1", late + 0.1, late + 0.2), KILL) is None


def test_the_time_of_other_faults_does_not_count_as_time_to_repeat_in() -> None:
    late = 110.0 + LATEST_SECONDS + 15.0
    others = [dataclasses.replace(GRACEFUL, begin=begin, end=begin + 10.0) for begin in (115.0, 120.0)]
    assert why(("w0.1", 99.98, 100.03), ("w1.1", late - 0.1, late), KILL, *others) == "in flight"
    assert why(("w0.1", 99.98, 100.03), ("w1.1", late + 0.1, late + 0.2), KILL, *others) is None


def test_at_stake_is_what_a_victim_had_in_flight_or_just_finished() -> None:
    young, old = 100.0 - COMMIT_INTERVAL_SECONDS + 0.01, 100.0 - COMMIT_INTERVAL_SECONDS - 0.01
    spans = [
        ("w0.1", 99.9, 100.1),
        ("w0.1", 99.8, young),
        ("w0.1", 99.8, old),
        ("w0.1", 100.1, 100.2),
        ("w1.1", 99.9, 100.1),
    ]
    made = [Call(n, f"a:{n}", "read", *call) for n, call in enumerate(spans)]
    assert count_at_stake(made, [KILL, KILL]) == 2
    assert count_at_stake(made, [GRACEFUL]) == 0
    assert count_at_stake(made, [dataclasses.replace(OUTAGE, blind=frozenset())]) == 3, "all had the same broker"


@given(calls)
def test_without_faults_every_call_but_the_first_of_its_step_is_unexplained(made: list[Call]) -> None:
    repeats = list(find_repeats(made, [], NOTHING))
    assert len(repeats) == len(made) - len({call.event for call in made})
    assert all(repeat.fault is None for repeat in repeats)


@given(calls, kept_ids)
def test_what_a_kill_explains_was_the_victims_and_neither_kept_nor_old(made: list[Call], ids: frozenset[int]) -> None:
    for repeat in find_repeats(made, [KILL], Kept(ids, {"a": 0, "b": 0})):
        if repeat.fault is not None:
            assert repeat.earlier.worker == "w0.1"
            assert repeat.earlier.id not in ids
            assert repeat.age <= OLDEST_SECONDS
            assert repeat.later.begun >= KILL.begin
