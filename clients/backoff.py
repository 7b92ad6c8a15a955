"""How a remote call is made again: the one retry rule, used by the content service and by the models."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_exponential_jitter

from clients.clock import Clock
from schemas.errors import PathstreamError

_LONGEST_RETRY_AFTER_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How often and how long to try; a new attempt never starts after `total_seconds`."""

    attempts: int = 3
    total_seconds: float = 20.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 10.0


def retrying(backoff: Backoff, clock: Clock) -> AsyncRetrying:
    """Build the retry loop: retriable errors of our tree only, jittered waits, the error itself at the end.

    An error's `retry_after_seconds`, when it has one, is the least it waits; when that would end after
    `total_seconds`, there is no further attempt.
    """
    started = clock.monotonic()
    jittered = wait_exponential_jitter(
        initial=backoff.first_wait_seconds,
        max=backoff.longest_wait_seconds,
        jitter=backoff.first_wait_seconds,
    )

    def wait(state: RetryCallState) -> float:
        return max(jittered(state), _asked_to_wait(state) or 0.0)

    def stop(state: RetryCallState) -> bool:
        elapsed = clock.monotonic() - started
        return state.attempt_number >= backoff.attempts or elapsed + state.upcoming_sleep > backoff.total_seconds

    return AsyncRetrying(sleep=clock.sleep, retry=retry_if_exception(_retriable), wait=wait, stop=stop, reraise=True)


def retry_after_seconds(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Read a `Retry-After` header, seconds or a date (RFC 9110, 10.2.3); None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_RETRY_AFTER_SECONDS)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - clock.now()).total_seconds(), 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _retriable(error: BaseException) -> bool:
    return isinstance(error, PathstreamError) and error.retriable


def _asked_to_wait(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    seconds = getattr(error, "retry_after_seconds", None)
    return seconds if isinstance(seconds, float) else None
