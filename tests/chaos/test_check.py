"""The judge notices everything: what is right passes, and each thing that is wrong is called by its name."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.check import (
    Complaint,
    Progress,
    Remains,
    Result,
    check_progress,
    check_receipts,
    check_results,
    check_state,
)
from tests.chaos.job import TELLING_STEPS, chain, steps_of
from tests.chaos.load import PlannedEvent, Way, plan_events


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that a run leaves behind."""

    events: list[PlannedEvent]
    results: list[Result]
    progress: list[Progress]
    remains: Remains
    paid: dict[int, tuple[str, str]]

    def complaints(self) -> list[Complaint]:
        longs = {event.name for event in self.events if event.long}
        return [
            *check_results(self.events, self.results),
            *check_progress(self.events, self.progress),
            *check_state(self.results, self.remains),
            *check_receipts(self.results, self.progress, self.paid, longs),
        ]

    def kinds(self) -> set[str]:
        return {complaint.kind for complaint in self.complaints()}


def handled(events: Sequence[PlannedEvent], chance: random.Random) -> list[PlannedEvent]:
    """The events in an order in which they may be handled: that of each way, the ways anyhow."""
    ways: defaultdict[tuple[str, Way], list[PlannedEvent]] = defaultdict(list)
    for event in events:
        if not event.resent:
            ways[event.name.learner, event.way].append(event)
    lanes, order = [lane[::-1] for lane in ways.values()], []
    while lanes:
        lane = chance.choice(lanes)
        order.append(lane.pop())
        lanes = [lane for lane in lanes if lane]
    return order


def flawless(seed: int, count: int) -> Outcome:
    """What a run without a flaw leaves behind."""
    events = list(plan_events(seed, count))
    results, progress, paid = list[Result](), list[Progress](), dict[int, tuple[str, str]]()
    tallies: defaultdict[str, tuple[int, str]] = defaultdict(lambda: (0, ""))
    for event in handled(events, random.Random(seed)):
        learner, n = event.name
        tallies[learner] = tally = (tallies[learner][0] + 1, chain(tallies[learner][1], n))
        receipts = {step: len(paid) + place for place, step in enumerate(steps_of(long=event.long))}
        paid |= {receipt: (str(event.name), step) for step, receipt in receipts.items()}
        progress += [Progress(event.name, step, receipts[step]) for step in TELLING_STEPS if step in receipts]
        results.append(Result(event.name, 0, tally, receipts))
    marked = frozenset(learner for learner, (number, _) in tallies.items() if number % 2)
    return Outcome(events=events, results=results, progress=progress, remains=Remains(tallies, marked, []), paid=paid)


seeds = st.integers(0, 10**6)
counts = st.integers(1, 150)
places = st.integers(0, 10**6)


@given(seeds, counts)
def test_a_run_without_a_flaw_passes(seed: int, count: int) -> None:
    assert flawless(seed, count).complaints() == []


@given(seeds, counts, places)
def test_a_lost_result_is_noticed(seed: int, count: int, place: int) -> None:
    outcome = flawless(seed, count)
    results = list(outcome.results)
    del results[place % len(results)]
    assert "lost" in replace(outcome, results=results).kinds()


@given(seeds, counts, places, places)
def test_a_result_that_comes_again_is_noticed_wherever_it_comes(seed: int, count: int, place: int, at: int) -> None:
    outcome = flawless(seed, count)
    results = list(outcome.results)
    results.insert(at % (len(results) + 1), results[place % len(results)])
    assert "duplicated" in replace(outcome, results=results).kinds()


@given(seeds, counts, places)
def test_lost_and_repeated_progress_is_noticed(seed: int, count: int, place: int) -> None:
    outcome = flawless(seed, count)
    one = place % len(outcome.progress)
    fewer = [*outcome.progress[:one], *outcome.progress[one + 1 :]]
    assert replace(outcome, progress=fewer).kinds() == {"lost"}
    assert "duplicated" in replace(outcome, progress=[*outcome.progress, outcome.progress[one]]).kinds()


@given(seeds, st.integers(50, 150), places)
def test_events_of_one_way_in_the_wrong_order_are_noticed(seed: int, count: int, place: int) -> None:
    outcome = flawless(seed, count)
    ways = {event.name: event.way for event in outcome.events if not event.resent}
    results = list(outcome.results)
    pairs = [
        (a, b)
        for a in range(len(results))
        for b in range(a + 1, len(results))
        if results[a].event.learner == results[b].event.learner and ways[results[a].event] == ways[results[b].event]
    ]
    if not pairs:
        return
    a, b = pairs[place % len(pairs)]
    results[a], results[b] = results[b], results[a]
    assert {"out_of_order", "state_wrong"} <= replace(outcome, results=results).kinds()


@given(seeds, counts, places)
def test_progress_in_the_wrong_order_is_noticed(seed: int, count: int, place: int) -> None:
    outcome = flawless(seed, count)
    longs = [p for p, progress in enumerate(outcome.progress) if progress.step == "plan"]
    if not longs:
        return
    plan, progress = longs[place % len(longs)], list(outcome.progress)
    progress[plan - 1], progress[plan] = progress[plan], progress[plan - 1]
    assert replace(outcome, progress=progress).kinds() == {"out_of_order"}


FORGERIES: dict[str, Callable[[Outcome, Result], Outcome]] = {
    "a result with another hash": lambda outcome, one: replace(
        outcome, results=[r._replace(tally=(r.tally[0], "f" * 16)) if r is one else r for r in outcome.results]
    ),
    "a result with another count": lambda outcome, one: replace(
        outcome, results=[r._replace(tally=(r.tally[0] + 1, r.tally[1])) if r is one else r for r in outcome.results]
    ),
    "a result made of another's call": lambda outcome, one: replace(
        outcome, results=[r._replace(receipts={"read": -1}) if r is one else r for r in outcome.results]
    ),
    "a state that is gone": lambda outcome, one: replace(
        outcome,
        remains=outcome.remains._replace(
            tallies={key: value for key, value in outcome.remains.tallies.items() if key != one.event.learner}
        ),
    ),
    "a state one event behind": lambda outcome, one: replace(
        outcome, remains=outcome.remains._replace(tallies={**outcome.remains.tallies, one.event.learner: (0, "")})
    ),
    "a mark too many or too few": lambda outcome, one: replace(
        outcome, remains=outcome.remains._replace(marked=outcome.remains.marked ^ {one.event.learner})
    ),
    "a journal that is left": lambda outcome, one: replace(
        outcome, remains=outcome.remains._replace(journals=[str(one.event)])
    ),
    "progress that tells of another call": lambda outcome, one: replace(
        outcome,
        progress=[p._replace(receipt=-1) if p.event == one.event else p for p in outcome.progress],
    ),
    "state of somebody who was never there": lambda outcome, _: replace(
        outcome, remains=outcome.remains._replace(tallies={**outcome.remains.tallies, "nobody": (1, "")})
    ),
}


@given(seeds, counts, places, st.sampled_from(sorted(FORGERIES)))
def test_wrong_state_is_noticed(seed: int, count: int, place: int, forgery: str) -> None:
    outcome = flawless(seed, count)
    forged = FORGERIES[forgery](outcome, outcome.results[place % len(outcome.results)])
    assert "state_wrong" in forged.kinds()


@given(seeds, counts)
def test_a_result_in_another_partition_than_its_learners_is_noticed(seed: int, count: int) -> None:
    outcome = flawless(seed, count)
    last = outcome.results[-1]
    alone = sum(result.event.learner == last.event.learner for result in outcome.results) == 1
    moved = replace(outcome, results=[*outcome.results[:-1], last._replace(partition=7)])
    assert moved.kinds() == (set() if alone else {"out_of_order"})
