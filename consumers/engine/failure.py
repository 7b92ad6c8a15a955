"""What follows from a failed attempt: the one table, and the one place that catches everything (design, section 5)."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from consumers.engine.context import Context
from consumers.engine.event import Event
from consumers.engine.flow import Flow
from consumers.engine.lane import Entry, Lane
from consumers.engine.limits import Limits
from consumers.engine.repartition import forward, is_at_home
from consumers.engine.seen import remember, was_seen
from producers.dead_letter import Failure, dead_letter
from producers.output import Output, check_size
from schemas.errors import EventError, OutputTooLargeError, PathstreamError, StoreError

_ATTEMPTS_AT_A_BUG = 2


class HandlerCancelledError(Exception):
    """A handler ended with a CancelledError that nobody sent to its worker: a bug in it."""


class Done(NamedTuple):
    """The event is handled, or was before, or is on its way to where it belongs."""

    outputs: list[Output]
    name: Literal["done", "degraded", "duplicate", "forwarded"] = "done"


class Retry(NamedTuple):
    """Try again after a pause, in seconds; the lane keeps its place."""

    error: Exception
    delay: float


class DeadLetter(NamedTuple):
    """Give the event up; the letter, and what the flow has to say, are committed with its offset."""

    error: Exception
    outputs: list[Output]


Outcome = Done | Retry | DeadLetter


async def attempt(flow: Flow[Any], lane: Lane, context: Context, limits: Limits, partitions: int) -> Outcome:
    """Handle a lane's head once, and say what follows; each of the flow's topics has so many `partitions`.

    Nothing passes through but the cancellation of a dropped task. Whether another one was meant for the worker itself
    only the pool knows: it has to look after every attempt. A store that cannot be read is the task's problem, not the
    event's: the task starts over from what is in Kafka.
    """
    entry = lane.entries[0]
    entry.attempts += 1
    event = None
    try:
        moved = entry.record.topic == flow.repartition_topic
        event = flow.decode(entry.record.value, flow.input_of(context.place.topic if moved else entry.record.topic))
        context.identify(event)
        if not moved and not is_at_home(entry.record, event.user_id, partitions):
            forwarded = forward(entry.record, context.identity[1], flow.repartition_topic, partitions)
            check_size(forwarded.topic, forwarded.size, context.max_bytes(forwarded.topic))
            return Done([forwarded], "forwarded")
        context.take_over_steps()
        seen = lane.task.seen
        if seen is not None and event.event_id and was_seen(seen, event.user_id, event.event_id):
            return Done([], "duplicate")
        await flow.handle(event, context)
        _remember(lane, event, context)
    except asyncio.CancelledError as error:
        if lane.stale:
            raise
        failure: Exception = HandlerCancelledError(repr(error))
    except Exception as error:  # noqa: BLE001 - a bug in a flow must not stop the others
        failure = error
    else:
        return Done(context.outputs, "degraded" if context.degraded else "done")
    try:
        return _verdict(flow, lane, event, context, failure, limits=limits)
    except StoreError as error:
        if not lane.stale:
            lane.task.broken = error
            lane.task.dirty.set()
        return Retry(error, limits.recovery_backoff_seconds)


def _verdict(
    flow: Flow[Any], lane: Lane, event: Event | None, context: Context, failure: Exception, *, limits: Limits
) -> Outcome:
    """What follows from a failed attempt: another one, something else than was asked for, or the dead letter.

    Raises StoreError, be it why the attempt failed or what happens here.
    """
    if isinstance(failure, StoreError):
        raise failure  # of the task, not of this event
    entry = lane.entries[0]
    delay = retry_delay(failure, attempts=entry.attempts, elapsed=_failing_for(entry), limits=limits)
    if delay is not None:
        return Retry(failure, delay)
    if event is not None and _rescued(flow, event, context):
        _remember(lane, event, context)
        return Done(context.outputs, "degraded")
    return DeadLetter(failure, [_letter(flow, entry, context, failure), *_last_words(flow, event, context)])


def _failing_for(entry: Entry) -> float:
    """Seconds since the entry failed first; a long first attempt takes nothing from the time for retries."""
    now = time.monotonic()
    if entry.first_failed_at is None:
        entry.first_failed_at = now
    return now - entry.first_failed_at


def _remember(lane: Lane, event: Event, context: Context) -> None:
    if context.remember and lane.task.seen is not None and event.event_id and not lane.stale:
        remember(lane.task.seen, event.user_id, event.event_id)


def _rescued(flow: Flow[Any], event: Event, context: Context) -> bool:
    """Whether the flow makes something of the event after all; a bug in that is none."""
    _start_afresh(context)
    try:
        return flow.rescue is not None and flow.rescue(event, context)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001 - the dead letter tells what went wrong first
        return False


def _last_words(flow: Flow[Any], event: Event | None, context: Context) -> list[Output]:
    """What the flow has to say of an event that is given up; a bug in that costs those words, not the dead letter."""
    _start_afresh(context)
    if event is None or flow.give_up is None:
        return []
    try:
        flow.give_up(event, context)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001 - the dead letter tells what went wrong first
        _start_afresh(context)
    return context.outputs


def _start_afresh(context: Context) -> None:
    context.outputs.clear()
    context.writes.clear()


def retry_delay(
    error: Exception,
    *,
    attempts: int,
    elapsed: float,
    limits: Limits,
    jitter: Callable[[float, float], float] = random.uniform,
) -> float | None:
    """Seconds until the next attempt, or None to give up.

    No valid event, a result too large, or a refusal: give up at once. Retriable: exponential backoff with jitter,
    honouring the other side's Retry-After, until attempts or time run out. A bug: once more, at once.
    """
    if isinstance(error, EventError | OutputTooLargeError):
        return None
    if not isinstance(error, PathstreamError):
        return 0.0 if attempts < min(_ATTEMPTS_AT_A_BUG, limits.max_attempts) else None
    if not error.retriable or attempts >= limits.max_attempts:
        return None
    longest = min(limits.retry_cap_seconds, limits.retry_base_seconds * 2 ** (attempts - 1))
    delay = jitter(longest / 2, longest)
    asked_for = getattr(error, "retry_after_seconds", None)
    if asked_for is not None:
        delay = max(delay, asked_for)
    return delay if elapsed + delay <= limits.max_retry_seconds else None


def _letter(flow: Flow[Any], entry: Entry, context: Context, error: Exception) -> Output:
    origin = context.origin
    topic = flow.dead_letter_topic(origin.at.topic)
    return dead_letter(
        Failure(
            topic=topic,
            at=origin.at,
            key=origin.key,
            value=entry.record.value,
            headers=origin.headers,
            timestamp_ms=origin.timestamp_ms,
            timestamp_type=origin.timestamp_type,
            error=error,
            attempts=entry.attempts,
            group_id=flow.group_id,
            consumer=flow.name,
        ),
        max_bytes=context.max_bytes(topic),
    )
