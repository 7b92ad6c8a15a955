"""What a handler works in: one attempt at one event, what came out of it so far, its steps and its state."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from aiokafka import ConsumerRecord
from pydantic import BaseModel

from consumers.engine.event import Event
from consumers.engine.gate import Gate
from consumers.engine.lane import Lane
from consumers.engine.repartition import Origin, origin_of, place_of
from consumers.engine.state import StateMap
from consumers.engine.steps import Journal
from producers.output import Output, Source, build_output, check_size
from schemas import codec
from schemas.envelope import OutputModel
from schemas.errors import OutputTooLargeError, PathstreamError, StoreError
from schemas.ids import Coordinates, EventId, LearnerId, derived_event_id, output_id

Result = TypeVar("Result", bound=BaseModel)
Work = Callable[[], Awaitable[Result]]


class Emission(NamedTuple):
    """A payload for a topic; `place` names it among the outputs of its event, so that its id is always the same."""

    topic: str
    payload: OutputModel
    place: str


class Attempted(NamedTuple, Generic[Result]):
    """What became of steps that were run side by side: every name is in one of the two."""

    results: dict[str, Result]
    failures: dict[str, PathstreamError]


def _nothing(_name: str, _result: BaseModel) -> Iterable[Emission]:
    return ()


class Context:
    """One attempt at one event. Nothing it emits or writes is visible before the event, or the step, is done."""

    __slots__ = (
        "_event", "_gate", "_identity", "_journal", "_lane", "_max_bytes", "_place", "_version",
        "degraded", "outputs", "record", "remember", "writes",
    )  # fmt: skip

    def __init__(self, lane: Lane, max_bytes: Callable[[str], int], version: int) -> None:
        self.record: ConsumerRecord[Any, Any] = lane.entries[0].record
        self.outputs: list[Output] = []
        self.writes: dict[bytes, bytes | None] = {}
        self.degraded = False
        self.remember = True
        """Whether the event, once it is done, makes a duplicate of what comes later under its id."""
        self._lane = lane
        self._version = version
        self._event: Event | None = None
        self._identity: tuple[EventId, LearnerId] | None = None
        self._journal: Journal | None = None
        self._gate: Gate | None = None
        self._place: Coordinates | None = None
        self._max_bytes = max_bytes

    @property
    def origin(self) -> Origin:
        """The record as the upstream wrote it, also after a repartition."""
        return origin_of(self.record)

    @property
    def place(self) -> Coordinates:
        """Where the record first stood, also after a repartition."""
        if self._place is None:
            self._place = place_of(self.record)
        return self._place

    def identify(self, event: Event) -> None:
        """Take over the identity of the event that the record was read as."""
        self._event = event

    @property
    def event_id(self) -> EventId | None:
        """The event's id, derived from its coordinates where it came without one; None for what is no event."""
        return None if self._event is None else self.identity[0]

    def take_over_steps(self) -> None:
        """Make the finished steps of an earlier worker the event's own, if there are any."""
        if (data := self._lane.task.data) is not None and data.journals:
            self._steps().take_over()

    @property
    def identity(self) -> tuple[EventId, LearnerId]:
        """The event's id and its learner's; RuntimeError before the event is identified."""
        if self._identity is None:
            if self._event is None:
                raise RuntimeError("the event is not identified yet")
            given = self._event.event_id
            event_id = EventId(given) if given else derived_event_id(self.place)
            self._identity = event_id, LearnerId(self._event.user_id)
        return self._identity

    def max_bytes(self, topic: str) -> int:
        """The largest record that the topic takes."""
        return self._max_bytes(topic)

    def output_id(self, place: str) -> EventId:
        """The id of the event's output at `place`: the same for every attempt."""
        return output_id(*self.identity, place)

    def emit(self, topic: str, payload: OutputModel, place: str) -> None:
        """Publish a payload under the learner's id when the event is done. Raises OutputTooLargeError."""
        self.outputs.append(self._build(Emission(topic, payload, place)))

    def fits(self, emission: Emission) -> bool:
        """Whether its topic would take the payload."""
        try:
            self._build(emission)
        except OutputTooLargeError:
            return False
        return True

    def state(self, name: str, model: type[Result]) -> StateMap[Result]:
        """The learner's map of that name. Raises RuntimeError for a flow without state."""
        if (data := self._lane.task.data) is None:
            raise RuntimeError("this flow keeps no state")
        limit = self._max_bytes(data.changelog.topic)
        return StateMap(data, self.writes, name=name, learner=self.identity[1], model=model, max_bytes=limit)

    async def step(
        self,
        name: str,
        work: Work[Result],
        *,
        into: type[Result],
        emits: Callable[[Result], Iterable[Emission]] | Sequence[Emission] = (),
    ) -> Result:
        """Run `work` once and remember its result under `name`, which is unique within the event.

        The result and what it `emits` (given, or computed from the result) are committed with the next checkpoint,
        whether or not the event is finished by then; those of a result that the changelog would not take, when the
        event is finished. When the event is handled again the result comes from the journal and nothing is emitted
        again. Raises what `work` raises; then nothing is remembered. Raises RuntimeError for a flow without state.
        """
        journal = self._steps()
        key = journal.key(name)
        if (known := journal.find(key)) is not None:
            return into.model_validate_json(known)
        if self._gate is None:
            self._gate = Gate(self._lane.task)
        result = await self._gate.run(work)
        emissions = emits(result) if callable(emits) else emits
        journal.record(key, codec.dump(result), [self._build(emission) for emission in emissions])
        return result

    def recall(self, name: str, into: type[Result]) -> Result | None:
        """The result of a finished step of this event, or None: for what runs no step, as a flow's last words."""
        journal = self._steps()
        known = journal.find(journal.key(name))
        return None if known is None else into.model_validate_json(known)

    async def try_steps(
        self,
        named: Mapping[str, Work[Result]],
        *,
        into: type[Result],
        limit: int,
        emits: Callable[[str, Result], Iterable[Emission]] = _nothing,
    ) -> Attempted[Result]:
        """Run steps of this event side by side, `limit` at once, to their ends: one's failure stops no other.

        `emits` says what goes out with the step of that name and its result.
        Failures of our own tree are handed back by name, and nothing is remembered of them. Anything else is a bug: it
        cancels the others and is raised.
        """
        gate = asyncio.Semaphore(limit)
        done: Attempted[Result] = Attempted({}, {})

        async def one(name: str, work: Work[Result]) -> None:
            async with gate:
                try:
                    done.results[name] = await self.step(name, work, into=into, emits=partial(emits, name))
                except StoreError:
                    raise  # of the task, not of this step
                except PathstreamError as exc:
                    done.failures[name] = exc

        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(one(name, work)) for name, work in named.items()]
        except ExceptionGroup as bugs:
            raise bugs.exceptions[0] from None
        for task in running:
            task.result()  # a CancelledError that nobody sent: a bug too
        return done

    async def steps(
        self,
        named: Mapping[str, Work[Result]],
        *,
        into: type[Result],
        limit: int,
        emits: Callable[[str, Result], Iterable[Emission]] = _nothing,
    ) -> dict[str, Result]:
        """Like `try_steps`: the results under their names, in the same order.

        Raises what failed first, as it is, when the others have come to their ends; finished ones are remembered.
        """
        done = await self.try_steps(named, into=into, limit=limit, emits=emits)
        for failure in done.failures.values():
            raise failure
        return {name: done.results[name] for name in named}

    def _steps(self) -> Journal:
        if self._journal is None:
            event_id, learner_id = self.identity
            self._journal = Journal(
                self._lane,
                version=self._version,
                learner=learner_id,
                event_id=event_id,
                max_bytes=self._max_bytes,
            )
        return self._journal

    def _build(self, emission: Emission) -> Output:
        source_event_id, learner_id = self.identity
        traceparent = next((value for name, value in self.record.headers if name == "traceparent"), None)
        source = Source(self.place, source_event_id, traceparent)
        event_id = self.output_id(emission.place)
        output = build_output(emission.topic, learner_id, emission.payload, event_id=event_id, source=source)
        check_size(output.topic, output.size, self._max_bytes(output.topic))
        return output
