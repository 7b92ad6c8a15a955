"""The failure table (design, section 5): what is tried again, when, and what is given up."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.failure import retry_delay
from consumers.engine.limits import Limits
from schemas.errors import (
    ContentServiceDeniedError,
    ContentServiceUnavailableError,
    EventTooLargeError,
    InvalidEventError,
    InvalidJsonError,
    ModelBlockedError,
    ModelMalformedError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelTransientError,
    OutputTooLargeError,
)

LIMITS = Limits(max_attempts=5, max_retry_seconds=60.0, retry_base_seconds=1.0, retry_cap_seconds=8.0)


def delay(error: Exception, *, attempts: int = 1, elapsed: float = 0.0, limits: Limits = LIMITS) -> float | None:
    """The longest pause that the jitter allows."""
    return retry_delay(error, attempts=attempts, elapsed=elapsed, limits=limits, jitter=lambda _low, high: high)


@pytest.mark.parametrize(
    "error",
    [
        InvalidJsonError("x"),
        InvalidEventError("x"),
        EventTooLargeError("x"),
        OutputTooLargeError("x"),
        ModelBlockedError("x"),
        ModelRejectedError("x"),
        ModelMalformedError("x"),
        ContentServiceDeniedError("x"),
    ],
)
def test_what_would_fail_again_is_given_up_at_once(error: Exception) -> None:
    assert delay(error) is None


def test_what_may_pass_is_retried_with_growing_pauses_up_to_a_cap() -> None:
    error = ContentServiceUnavailableError("away")
    assert [delay(error, attempts=n) for n in range(1, 6)] == [1.0, 2.0, 4.0, 8.0, None]
    generous = dataclasses.replace(LIMITS, max_attempts=100)
    assert delay(error, attempts=50, limits=generous) == 8.0


def test_the_other_sides_retry_after_is_honoured_unless_it_is_too_late() -> None:
    assert delay(ModelTransientError("429", retry_after_seconds=30.0)) == 30.0
    assert delay(ModelTransientError("429", retry_after_seconds=0.1)) == 1.0
    assert delay(ModelTransientError("429", retry_after_seconds=30.0), elapsed=31.0) is None


def test_a_bug_is_tried_once_more_at_once() -> None:
    assert delay(KeyError("bug"), attempts=1) == 0.0
    assert delay(KeyError("bug"), attempts=2) is None
    assert delay(KeyError("bug"), limits=dataclasses.replace(LIMITS, max_attempts=1)) is None


@given(attempts=st.integers(1, 1000), elapsed=st.floats(0, 1e6))
def test_a_retry_never_starts_after_its_deadline(attempts: int, elapsed: float) -> None:
    error = ModelTimeoutError("no answer")
    pause = retry_delay(error, attempts=attempts, elapsed=elapsed, limits=LIMITS)
    if pause is not None:
        assert 0 <= pause <= LIMITS.retry_cap_seconds
        assert elapsed + pause <= LIMITS.max_retry_seconds
        assert attempts < LIMITS.max_attempts
