"""The failure table (design, section 5): what is tried again, when, and what is given up."""

import asyncio
import dataclasses
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.context import Context
from consumers.engine.failure import DeadLetter, Retry, attempt, retry_delay
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.task_state import TaskState
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
from tests.unit.tasks import task_of

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


class Event:
    """The least that an event can be."""

    event_id, user_id = None, "u1"


async def test_a_first_attempt_that_took_longer_than_retries_may_is_tried_again_all_the_same() -> None:
    limits = dataclasses.replace(LIMITS, max_retry_seconds=0.05, retry_base_seconds=0.001)

    async def handle(_event: Event, _context: Context) -> None:
        await asyncio.sleep(2 * limits.max_retry_seconds)
        raise ModelTimeoutError("no answer")

    flow = Flow(
        name="f", group_id="g", inputs=("in",), outputs=(), decode=lambda _value, _topic: Event(), handle=handle
    )
    task = task_of(flow.sources)
    task.move_to(TaskState.ACTIVE)
    record: ConsumerRecord[Any, Any] = ConsumerRecord("in", 0, 1, 0, 0, b"u1", b"{}", None, 2, 2, ())
    (lane,) = task.accept(TopicPartition("in", 0), [record])

    outcomes = [
        await attempt(flow, lane, Context(lane, lambda _topic: 2**20, flow.version), limits, partitions=1)
        for _ in range(2)
    ]

    assert [type(outcome) for outcome in outcomes] == [Retry, DeadLetter], "the time runs from the first failure on"
