"""The judge: what came out, held against what had to. Pure; a model of its own in a few lines, nothing of the engine.

Every function gives complaints, each of one of five kinds; none at all is the verdict that is wanted.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from tests.chaos.job import TELLING_STEPS, chain, steps_of
from tests.chaos.load import EventName, PlannedEvent, Way

Kind = Literal["lost", "duplicated", "out_of_order", "state_wrong", "unexplained_repeats"]
KINDS: tuple[Kind, ...] = ("lost", "duplicated", "out_of_order", "state_wrong", "unexplained_repeats")

Item = TypeVar("Item", bound=Hashable)


class Complaint(NamedTuple):
    """One thing that is wrong."""

    kind: Kind
    what: str


class Result(NamedTuple):
    """An output record of an event, in the order of its learner's partition."""

    event: EventName
    partition: int
    tally: tuple[int, str]
    """How many events of the learner there were by then, and their chained hash."""
    receipts: Mapping[str, int]
    """The paid calls that the event used, by step."""


class Progress(NamedTuple):
    """What a finished step emitted, in the order of its learner's partition."""

    event: EventName
    step: str
    receipt: int


class Remains(NamedTuple):
    """What the state changelog holds at the end."""

    tallies: Mapping[str, tuple[int, str]]
    marked: frozenset[str]
    journals: Sequence[str]


def check_results(events: Sequence[PlannedEvent], results: Sequence[Result]) -> Iterator[Complaint]:
    """Every event came out once, in order, and with the state that its learner's events so far make."""
    expected = {event.name: event.way for event in events if not event.resent}
    yield from _each_once(expected, [result.event for result in results], "the output of")
    yield from _in_order(expected, [result.event for result in results])
    tallies: dict[str, tuple[int, str]] = defaultdict(lambda: (0, ""))
    partitions: dict[str, int] = {}
    for result in results:
        learner, n = result.event
        count, before = tallies[learner]
        tallies[learner] = now = (count + 1, chain(before, n))
        if result.tally != now:
            yield Complaint("state_wrong", f"{result.event} says {result.tally}, the model {now}")
        if partitions.setdefault(learner, result.partition) != result.partition:
            yield Complaint("out_of_order", f"{learner} came out in partition {result.partition} and another one")


def check_progress(events: Sequence[PlannedEvent], emitted: Sequence[Progress]) -> Iterator[Complaint]:
    """Every step that tells came out once, in the order of its learner's events and of its event's steps."""
    expected = {
        (event.name, step): event.way
        for event in events
        if not event.resent
        for step in steps_of(long=event.long)
        if step in TELLING_STEPS
    }
    seen = [(progress.event, progress.step) for progress in emitted]
    yield from _each_once(expected, seen, "the progress of")
    last: dict[tuple[str, Way], tuple[int, int]] = {}
    for event, step in seen:
        if (event, step) in expected:
            lane, place = (event.learner, expected[event, step]), (event.n, TELLING_STEPS.index(step))
            if place < last.get(lane, place):
                yield Complaint("out_of_order", f"progress of {event} {step} after that of a later one")
            last[lane] = max(place, last.get(lane, place))


def check_state(results: Sequence[Result], remains: Remains) -> Iterator[Complaint]:
    """The changelog ends with the state of the last event of every learner, and no journal is left."""
    order: dict[str, list[int]] = defaultdict(list)
    for result in results:
        order[result.event.learner].append(result.event.n)
    for learner, numbers in order.items():
        expected = len(numbers), _chained(numbers)
        if remains.tallies.get(learner) != expected:
            yield Complaint("state_wrong", f"the state of {learner} is {remains.tallies.get(learner)}, not {expected}")
        if (learner in remains.marked) != bool(len(numbers) % 2):
            yield Complaint("state_wrong", f"{learner} is {'' if learner in remains.marked else 'not '}marked")
    for learner in (remains.tallies.keys() | remains.marked) - order.keys():
        yield Complaint("state_wrong", f"state of {learner}, who had no event")
    for journal in remains.journals:
        yield Complaint("state_wrong", f"a journal is left: {journal}")


def check_receipts(
    results: Sequence[Result], emitted: Sequence[Progress], paid: Mapping[int, tuple[str, str]], longs: set[EventName]
) -> Iterator[Complaint]:
    """Each result was made of its own event's paid calls, the same ones that its steps told of."""
    used: dict[tuple[EventName, str], int] = {}
    for result in results:
        if set(result.receipts) != set(steps_of(long=result.event in longs)):
            yield Complaint("state_wrong", f"{result.event} was made of the steps {sorted(result.receipts)}")
        for step, receipt in result.receipts.items():
            used[result.event, step] = receipt
            if paid.get(receipt) != (str(result.event), step):
                yield Complaint("state_wrong", f"{result.event} {step} was made of the call {paid.get(receipt)}")
    for progress in emitted:
        if used.get((progress.event, progress.step)) != progress.receipt:
            yield Complaint("state_wrong", f"{progress.event} {progress.step} told of another call than it used")


def _each_once(expected: Mapping[Item, Way], seen: Iterable[Item], what: str) -> Iterator[Complaint]:
    counts = Counter(seen)
    for item in expected.keys() - counts.keys():
        yield Complaint("lost", f"{what} {_shown(item)}")
    for item, count in counts.items():
        if item not in expected:
            yield Complaint("state_wrong", f"{what} {_shown(item)}, which was never sent")
        for _ in range(count - 1):
            yield Complaint("duplicated", f"{what} {_shown(item)}, {count} times")


def _in_order(expected: Mapping[EventName, Way], seen: Iterable[EventName]) -> Iterator[Complaint]:
    last: dict[tuple[str, Way], int] = {}
    for event in seen:
        if event in expected:
            lane = event.learner, expected[event]
            if event.n < last.get(lane, 0):
                yield Complaint("out_of_order", f"{event} after {last[lane]}")
            last[lane] = max(event.n, last.get(lane, 0))


def _chained(numbers: Iterable[int]) -> str:
    value = ""
    for n in numbers:
        value = chain(value, n)
    return value


def _shown(item: Hashable) -> str:
    return " ".join(map(str, item)) if isinstance(item, tuple) and not isinstance(item, EventName) else str(item)
