"""What the engine runs: a flow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from consumers.engine.context import Context
from consumers.engine.event import Event
from consumers.engine.names import REPARTITION_SUFFIX, SEEN_SUFFIX, STATE_SUFFIX
from producers.dead_letter import SUFFIX as DEAD_LETTER_SUFFIX

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, kw_only=True)
class Flow(Generic[E]):
    """One of the service's jobs: its topics, how its records are read and how its events are handled.

    `decode` turns a record's value into an event, given the input topic it came in, or raises EventError. `handle`
    does the work; what it emits on the context is sent when it returns, exactly once. Of an event that could be read
    but not handled, `rescue` may still make something: when it says so, the event is done, degraded. Else `give_up`
    may emit something beside its dead letter. Both may use state and recall finished steps, and run none.

    With `stateful` the flow has state and durable steps, and an event id that was handled for the same learner within
    seven days changes nothing. `version` says which steps it has: after a change of them, raise it, and journals of the
    old ones are ignored.
    """

    name: str
    group_id: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    decode: Callable[[bytes | None, str], E]
    handle: Callable[[E, Context], Awaitable[None]]
    rescue: Callable[[E, Context], bool] | None = None
    give_up: Callable[[E, Context], None] | None = None
    stateful: bool = False
    version: int = 1

    @cached_property
    def repartition_topic(self) -> str:
        """Where records go that stand under another key than their learner's."""
        return self.group_id + REPARTITION_SUFFIX

    def input_of(self, topic: str) -> str:
        """The input that a record counts as; a stranger's in our own topics, as the first one's."""
        return topic if topic in self.inputs else self.inputs[0]

    def dead_letter_topic(self, topic: str) -> str:
        """Where a record of that topic goes that cannot be handled."""
        return self.input_of(topic) + DEAD_LETTER_SUFFIX

    @cached_property
    def state_topic(self) -> str:
        """The changelog of state and journals."""
        return self.group_id + STATE_SUFFIX

    @cached_property
    def seen_topic(self) -> str:
        """The changelog of the event ids that were handled."""
        return self.group_id + SEEN_SUFFIX

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """All topics the flow reads: its inputs and its repartition topic."""
        return (*self.inputs, self.repartition_topic)

    @cached_property
    def changelogs(self) -> tuple[str, ...]:
        """Where the flow's state is kept: nowhere, for a flow without."""
        return (self.state_topic, self.seen_topic) if self.stateful else ()

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """All topics the flow may write to."""
        dead_letters = (topic + DEAD_LETTER_SUFFIX for topic in self.inputs)
        return (*self.outputs, self.repartition_topic, *dead_letters, *self.changelogs)
