"""What the engine runs: a flow, and the context its handler works in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from aiokafka import ConsumerRecord

from consumers.engine.repartition import SUFFIX as REPARTITION_SUFFIX
from consumers.engine.repartition import Origin, origin_of
from producers.dead_letter import SUFFIX as DEAD_LETTER_SUFFIX
from producers.output import Output, Source, build_output, check_size
from schemas.envelope import OutputModel
from schemas.ids import EventId, LearnerId, derived_event_id, output_id


class Event(Protocol):
    """What every event has: perhaps an id, and whose it is."""

    @property
    def event_id(self) -> str | None:
        """The sender's id of the event."""

    @property
    def user_id(self) -> str:
        """The learner, who is also the key."""


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, kw_only=True)
class Flow(Generic[E]):
    """One of the service's jobs: its topics, how its records are read and how its events are handled.

    `decode` turns a record's value into an event or raises EventError. `handle` does the work; what it emits on the
    context is sent when it returns, exactly once. `give_up` may emit something beside the dead letter of an event
    that could be read but not handled.
    """

    name: str
    group_id: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    decode: Callable[[bytes | None], E]
    handle: Callable[[E, "Context"], Awaitable[None]]
    give_up: Callable[[E, "Context"], None] | None = None

    @cached_property
    def repartition_topic(self) -> str:
        """Where records go that stand under another key than their learner's."""
        return self.group_id + REPARTITION_SUFFIX

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """All topics the flow reads: its inputs and its repartition topic, all with the same partition count."""
        return (*self.inputs, self.repartition_topic)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """All topics the flow may write to."""
        return (*self.outputs, self.repartition_topic, *(topic + DEAD_LETTER_SUFFIX for topic in self.inputs))


class Context:
    """One attempt at one event: where it came from, and what came out of it so far."""

    __slots__ = ("_event", "_event_id", "_max_bytes", "_origin", "degraded", "outputs", "record")

    def __init__(self, record: ConsumerRecord[Any, Any], max_bytes: Callable[[str], int]) -> None:
        self.record = record
        self.outputs: list[Output] = []
        self.degraded = False
        self._event: Event | None = None
        self._event_id: EventId | None = None
        self._origin: Origin | None = None
        self._max_bytes = max_bytes

    @property
    def origin(self) -> Origin:
        """The record as the upstream wrote it, also after a repartition."""
        if self._origin is None:
            self._origin = origin_of(self.record)
        return self._origin

    def identify(self, event: Event) -> None:
        """Take over the identity of the event that the record was read as."""
        self._event = event

    @property
    def event_id(self) -> EventId | None:
        """The event's id, derived from its coordinates where it came without one; None for what is no event."""
        if self._event_id is None and self._event is not None:
            given = self._event.event_id
            self._event_id = EventId(given) if given else derived_event_id(self.origin.at)
        return self._event_id

    def max_bytes(self, topic: str) -> int:
        """The largest record that the topic takes."""
        return self._max_bytes(topic)

    @property
    def identity(self) -> tuple[EventId, LearnerId]:
        """The event's id and its learner's; RuntimeError before the event is identified."""
        if self._event is None or (event_id := self.event_id) is None:
            raise RuntimeError("the event is not identified yet")
        return event_id, LearnerId(self._event.user_id)

    def emit(self, topic: str, payload: OutputModel, *, event_id: EventId) -> None:
        """Publish a payload under the learner's id when the event is done. Raises OutputTooLargeError."""
        source_event_id, learner_id = self.identity
        traceparent = next((value for name, value in self.record.headers if name == "traceparent"), None)
        source = Source(self.origin.at, source_event_id, traceparent)
        output = build_output(topic, learner_id, payload, event_id=event_id, source=source)
        check_size(output, self._max_bytes(topic))
        self.outputs.append(output)

    def output_id(self, place: str) -> EventId:
        """The id of the event's output at `place`: the same for every attempt."""
        return output_id(*self.identity, place)
