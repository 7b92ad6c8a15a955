"""Ids of records: derived from where an event came from, never random, so that a replay gives the same ones."""

import uuid
from dataclasses import dataclass
from typing import NewType

EventId = NewType("EventId", str)
LearnerId = NewType("LearnerId", str)
Epoch = NewType("Epoch", int)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "pathstream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """Where a record stands: the one thing that never changes about it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"


def derived_event_id(source: Coordinates) -> EventId:
    """The id of an event that came without one."""
    return EventId(str(uuid.uuid5(_NAMESPACE, str(source))))


def output_id(source_event_id: EventId, learner_id: LearnerId, place: str) -> EventId:
    """The id of an output: `place` names it among the outputs of its event, e.g. `learning_path`."""
    return EventId(str(uuid.uuid5(_NAMESPACE, f"{source_event_id}\0{learner_id}\0{place}")))
