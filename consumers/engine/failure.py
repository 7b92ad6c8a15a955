"""What follows from a failed attempt: the one table, and the one place that catches everything (design, section 5)."""

import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from consumers.engine.flow import Context, Flow
from consumers.engine.limits import Limits
from consumers.engine.partition import Entry
from consumers.engine.repartition import forward
from producers.dead_letter import SUFFIX, Failure, dead_letter
from producers.output import Output
from schemas.errors import EventError, OutputTooLargeError, PathstreamError

_ATTEMPTS_AT_A_BUG = 2


class Done(NamedTuple):
    """The event is handled."""

    outputs: list[Output]
    forwarded: bool = False


class Retry(NamedTuple):
    """Try again after a pause, in seconds; the lane keeps its place."""

    error: Exception
    delay: float


class DeadLetter(NamedTuple):
    """Give the event up; the letter, and what the flow has to say, are committed with its offset."""

    error: Exception
    outputs: list[Output]


Outcome = Done | Retry | DeadLetter


async def attempt(flow: Flow[Any], entry: Entry, context: Context, limits: Limits) -> Outcome:
    """Handle one event once, and say what follows. Cancellation passes through, nothing else does."""
    if not entry.attempts:
        entry.first_attempt_at = time.monotonic()
    entry.attempts += 1
    event = None
    try:
        event = flow.decode(entry.record.value)
        context.identify(event)
        if entry.record.key != event.user_id.encode() and entry.record.topic != flow.repartition_topic:
            return Done([forward(entry.record, context.identity[1], flow.repartition_topic)], forwarded=True)
        await flow.handle(event, context)
    except Exception as error:  # noqa: BLE001 - the only broad handler: a bug in a flow must not stop the others
        elapsed = time.monotonic() - entry.first_attempt_at
        delay = retry_delay(error, attempts=entry.attempts, elapsed=elapsed, limits=limits)
        if delay is not None:
            return Retry(error, delay)
        context.outputs.clear()
        if event is not None and flow.give_up is not None:
            flow.give_up(event, context)
        return DeadLetter(error, [_letter(flow, entry, context, error), *context.outputs])
    return Done(context.outputs)


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
    return dead_letter(
        Failure(
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
        max_bytes=context.max_bytes(origin.at.topic + SUFFIX),
    )
