"""What is drawn from a seed: the faults and the events."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.load import EventName, PlannedEvent, plan_events
from tests.chaos.plan import FEWEST_WORKERS, KINDS, MOST_WORKERS, WORKERS_AT_FIRST, draw_faults

seeds = st.integers(0, 10**6)


@given(seeds, st.integers(0, 60))
def test_there_are_as_many_faults_as_asked_for_and_every_kind_if_there_are_enough(seed: int, count: int) -> None:
    drawn = draw_faults(seed, count)
    assert len(drawn) == count
    assert {fault.kind for fault in drawn} == set(KINDS) or count < len(KINDS)
    assert drawn == draw_faults(seed, count)


@given(seeds, st.integers(0, 60))
def test_workers_come_and_go_within_bounds(seed: int, count: int) -> None:
    workers = WORKERS_AT_FIRST
    for fault in draw_faults(seed, count):
        workers += {"join_worker": 1, "leave_worker": -1}.get(fault.kind, 0)
        assert FEWEST_WORKERS <= workers <= MOST_WORKERS


@given(seeds, st.integers(0, 60))
def test_at_most_two_faults_go_on_at_once_and_one_of_the_broker(seed: int, count: int) -> None:
    drawn = draw_faults(seed, count)
    assert not any(fault.overlaps for fault in drawn[:1])
    for before, fault in itertools.pairwise(drawn):
        if fault.overlaps:
            assert not before.overlaps
            assert not {before.kind, fault.kind} <= {"kill_broker", "freeze_broker"}


def test_about_one_fault_in_five_overlaps() -> None:
    faults = [fault for seed in range(100) for fault in draw_faults(seed, 30)]
    assert 0.1 < sum(fault.overlaps for fault in faults) / len(faults) < 0.3


@given(seeds, st.integers(1, 500))
def test_a_learners_events_are_numbered_and_only_earlier_ones_are_sent_again(seed: int, count: int) -> None:
    newest: dict[str, int] = {}
    first: dict[EventName, PlannedEvent] = {}
    for event in plan_events(seed, count):
        learner, n = event.name
        if event.resent:
            assert event == first[event.name]._replace(resent=True)
            assert not event.anonymous
        else:
            assert n == newest.get(learner, 0) + 1
            newest[learner], first[event.name] = n, event
    assert sum(newest.values()) == count


def test_a_large_load_has_everything_in_it() -> None:
    events = list(plan_events(1, 5_000))
    assert {(event.way.key == event.name.learner, event.way.key is None) for event in events} == {
        (True, False),
        (False, True),
        (False, False),
    }
    for share, of in ((0.2, "long"), (0.4, "anonymous"), (0.03, "resent"), (0.015, "slow")):
        assert 0.5 * share < sum(bool(getattr(event, of)) for event in events) / len(events) < 1.5 * share
