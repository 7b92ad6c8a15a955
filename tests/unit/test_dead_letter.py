"""A dead letter is the record as it was, and it always lands, however large it was."""

from hypothesis import given
from hypothesis import strategies as st

from producers.dead_letter import MAX_STACKTRACE_BYTES, Failure, dead_letter
from producers.output import Output
from schemas.errors import ContentServiceUnavailableError, InvalidJsonError
from schemas.ids import Coordinates


def failure(
    value: bytes | None = b"{", headers: list[tuple[str, bytes]] | None = None, error: Exception | None = None
) -> Failure:
    return Failure(
        topic="learning_goal.dlq",
        at=Coordinates(topic="learning_goal", partition=3, offset=2**40),
        key=b"u1",
        value=value,
        headers=headers or [],
        timestamp_ms=1_700_000_000_000,
        timestamp_type=0,
        error=error or InvalidJsonError("not JSON"),
        attempts=1,
        group_id="group",
        consumer="learning_goal",
    )


def test_a_dead_letter_has_the_bytes_the_key_the_headers_and_springs_coordinates() -> None:
    letter = dead_letter(failure(b"\xff\x00", [("traceparent", b"t"), ("x", b"\x01")]), max_bytes=10**6)
    headers = dict(letter.headers)
    assert letter.topic == "learning_goal.dlq"
    assert (letter.key, letter.value) == (b"u1", b"\xff\x00")
    assert headers["x"] == b"\x01"
    assert headers["traceparent"] == b"t"
    assert headers["kafka_dlt-original-topic"] == b"learning_goal"
    assert headers["kafka_dlt-original-partition"] == (3).to_bytes(4, "big")
    assert headers["kafka_dlt-original-offset"] == (2**40).to_bytes(8, "big")
    assert headers["kafka_dlt-original-timestamp"] == (1_700_000_000_000).to_bytes(8, "big")
    assert headers["kafka_dlt-original-timestamp-type"] == b"CreateTime"
    assert headers["kafka_dlt-original-consumer-group"] == b"group"
    assert headers["kafka_dlt-exception-fqcn"] == b"schemas.errors.InvalidJsonError"
    assert headers["pathstream-error-code"] == b"INVALID_JSON"
    assert headers["pathstream-error-category"] == b"validation"
    assert headers["pathstream-attempts"] == b"1"
    assert headers["pathstream-consumer"] == b"learning_goal"


def test_a_tombstone_stays_a_tombstone() -> None:
    assert dead_letter(failure(None), max_bytes=10**6).value is None


def test_a_replay_that_fails_again_keeps_where_the_record_stood_first_and_tells_only_the_new_reason() -> None:
    first = dead_letter(failure(b"{"), max_bytes=10**6)
    error = ContentServiceUnavailableError("away")
    again = dead_letter(failure(b"{", list(first.headers), error), max_bytes=10**6)
    names = [name for name, _ in again.headers]
    assert len(names) == len(set(names))
    headers = dict(again.headers)
    assert headers["kafka_dlt-original-offset"] == (2**40).to_bytes(8, "big")
    assert headers["pathstream-error-code"] == b"CONTENT_SERVICE_UNAVAILABLE"


def test_the_cause_of_an_error_and_the_end_of_a_long_trace_are_kept() -> None:
    error = InvalidJsonError("x" * 100_000)
    error.__cause__ = ValueError("inner")
    headers = dict(dead_letter(failure(error=error), max_bytes=10**6).headers)
    assert headers["kafka_dlt-exception-cause-fqcn"] == b"builtins.ValueError"
    assert len(headers["kafka_dlt-exception-stacktrace"]) <= MAX_STACKTRACE_BYTES


@given(
    value=st.integers(0, 300_000).map(lambda size: b"v" * size),
    header=st.integers(0, 100_000).map(lambda size: b"h" * size),
    max_bytes=st.integers(2_000, 200_000),
)
def test_a_dead_letter_always_fits_its_topic(value: bytes, header: bytes, max_bytes: int) -> None:
    letter = dead_letter(failure(value, [("own", header)]), max_bytes=max_bytes)
    assert letter.size <= max_bytes
    headers = dict(letter.headers)
    assert headers["kafka_dlt-original-offset"] == (2**40).to_bytes(8, "big")
    if letter.value != value:
        assert headers["pathstream-value-truncated"] == str(len(value)).encode()
        assert value.startswith(letter.value or b"")
    else:
        assert isinstance(letter, Output)
