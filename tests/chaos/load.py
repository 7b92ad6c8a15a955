"""What is sent: events of many learners, one of them busy, some under a wrong key or none, some sent twice.

Pure: the same seed gives the same events.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tests.chaos.job import EVERY_STEP, PARTITIONS

_BUSY_SHARE = 0.03
_LONG_SHARE = 0.2
_ANONYMOUS_SHARE = 0.4
"""An event id that is remembered hides an engine that goes back to what was done: it has to be missing often."""
_RESENT_SHARE = 0.05
_SLOW_SHARE = 0.015
_EVENTS_PER_LEARNER = 50


class EventName(NamedTuple):
    """An event by its learner and its number among the learner's events, from 1."""

    learner: str
    n: int

    def __str__(self) -> str:
        return f"{self.learner}:{self.n}"


class Way(NamedTuple):
    """How a record comes in: by a key, or without one to a partition. Order is defined among records of one way."""

    key: str | None
    partition: int | None


class PlannedEvent(NamedTuple):
    """One record to send."""

    name: EventName
    way: Way
    long: bool
    anonymous: bool
    """Without an event id."""
    slow: bool = False
    """All its calls take long: each ends in the time that a rebalance leaves it, all of them together do not."""
    resent: bool = False
    """Sent before under the same id: it has to change nothing."""

    @property
    def value(self) -> bytes:
        """The record's value."""
        slow = EVERY_STEP if self.slow else None
        content = {"userId": self.name.learner, "n": self.name.n, "long": self.long, "slow": slow}
        return json.dumps(content if self.anonymous else {"eventId": str(self.name), **content}).encode()


def plan_events(seed: int, count: int) -> Iterator[PlannedEvent]:
    """So many events, in the order in which they are sent, and records that repeat earlier ones between them."""
    chance = random.Random(f"{seed}:events")
    learners = max(20, count // _EVENTS_PER_LEARNER)
    sent: defaultdict[int, list[PlannedEvent]] = defaultdict(list)
    for _ in range(count):
        number = 0 if chance.random() < _BUSY_SHARE else chance.randrange(learners)
        slow = chance.random() < _SLOW_SHARE and number != 0  # or the busy learner's events would take an hour
        event = PlannedEvent(
            name=EventName(f"learner-{number}", len(sent[number]) + 1),
            way=_way(number, chance),
            long=slow or chance.random() < _LONG_SHARE,
            anonymous=chance.random() < _ANONYMOUS_SHARE,
            slow=slow,
        )
        sent[number].append(event)
        yield event
        if chance.random() < _RESENT_SHARE:
            earlier = chance.choice(sent[number])
            if not earlier.anonymous:
                yield earlier._replace(resent=True)


def _way(number: int, chance: random.Random) -> Way:
    """Of ten learners seven are keyed as they should be, one not at all, one by something else, one now so, now so."""
    right = Way(f"learner-{number}", None)
    unkeyed = Way(None, number % PARTITIONS)
    foreign = Way(f"session-{number % 7}", None)
    match number % 10:
        case 1:
            return unkeyed
        case 2:
            return foreign
        case 3:
            return chance.choice((right, unkeyed, foreign))
        case _:
            return right
