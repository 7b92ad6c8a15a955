"""A record that cannot be handled, on its way to `<input topic>.dlq`: its bytes as they were, and why it is there.

Header names are Spring Kafka's, so that its tools read them (contracts).
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from producers.output import Headers, Output, size_of
from schemas.errors import ErrorCategory, ErrorCode, PathstreamError
from schemas.ids import Coordinates

SUFFIX = ".dlq"
ORIGINAL_PREFIX = "kafka_dlt-original-"
EXCEPTION_PREFIX = "kafka_dlt-exception-"
OWN_PREFIX = "pathstream-"
MAX_STACKTRACE_BYTES = 8 * 2**10
MAX_MESSAGE_BYTES = 2**10

_LENGTH_BYTES = 4
"""What a value's length takes more when the value is not empty: a varint of up to five bytes instead of one."""

_TIMESTAMP_TYPES = {0: b"CreateTime", 1: b"LogAppendTime"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A record as it first stood, what was tried with it, and the topic that takes it now."""

    topic: str
    at: Coordinates
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int
    timestamp_type: int
    error: Exception
    attempts: int
    group_id: str
    consumer: str


def dead_letter(failure: Failure, *, max_bytes: int) -> Output:
    """The dead letter for a record, cut to what its topic takes (`max_bytes`).

    A value that does not fit is cut and `pathstream-value-truncated` tells its length in bytes; the coordinates
    say where the whole record still is.
    """
    topic = failure.topic
    kept: Headers = [
        (name, value) for name, value in failure.headers if not name.startswith((EXCEPTION_PREFIX, OWN_PREFIX))
    ]
    if not any(name.startswith(ORIGINAL_PREFIX) for name, _ in kept):
        kept += _original_headers(failure)
    why = _reason_headers(failure)
    letter = Output(topic, failure.key, failure.value, kept + why)
    if letter.size <= max_bytes:
        return letter
    length = len(failure.value or b"")
    why.append((f"{OWN_PREFIX}value-truncated", str(length).encode()))
    for headers in (kept + why, _only_dead_letter_headers(kept) + why, _original_headers(failure) + why[-1:]):
        room = max_bytes - size_of(failure.key, b"", headers) - _LENGTH_BYTES
        if room >= 0:
            return Output(topic, failure.key, (failure.value or b"")[:room], headers)
    return Output(topic, None, b"", _original_headers(failure) + why[-1:])


def _original_headers(failure: Failure) -> Headers:
    """Where the record stood first; written once, so a replay that fails again keeps them."""
    return [
        (f"{ORIGINAL_PREFIX}topic", failure.at.topic.encode()),
        (f"{ORIGINAL_PREFIX}partition", failure.at.partition.to_bytes(4, "big", signed=True)),
        (f"{ORIGINAL_PREFIX}offset", failure.at.offset.to_bytes(8, "big", signed=True)),
        (f"{ORIGINAL_PREFIX}timestamp", failure.timestamp_ms.to_bytes(8, "big", signed=True)),
        (
            f"{ORIGINAL_PREFIX}timestamp-type",
            _TIMESTAMP_TYPES.get(failure.timestamp_type, b"NoTimestampType"),
        ),
        (f"{ORIGINAL_PREFIX}consumer-group", failure.group_id.encode()),
    ]


def _reason_headers(failure: Failure) -> Headers:
    error = failure.error
    trace = "".join(traceback.format_exception(error)).encode("utf-8", "replace")[-MAX_STACKTRACE_BYTES:]
    headers: Headers = [
        (f"{EXCEPTION_PREFIX}fqcn", _qualified_name(error)),
        (f"{EXCEPTION_PREFIX}message", str(error).encode("utf-8", "replace")[:MAX_MESSAGE_BYTES]),
        (f"{EXCEPTION_PREFIX}stacktrace", trace),
        (f"{OWN_PREFIX}error-code", error_code(error).encode()),
        (f"{OWN_PREFIX}error-category", error_category(error).encode()),
        (f"{OWN_PREFIX}attempts", str(failure.attempts).encode()),
        (f"{OWN_PREFIX}consumer", failure.consumer.encode()),
    ]
    if (cause := error.__cause__) is not None:
        headers.insert(1, (f"{EXCEPTION_PREFIX}cause-fqcn", _qualified_name(cause)))
    return headers


def _only_dead_letter_headers(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.startswith(ORIGINAL_PREFIX)]


def _qualified_name(error: BaseException) -> bytes:
    return f"{type(error).__module__}.{type(error).__qualname__}".encode()


def error_code(error: Exception) -> ErrorCode:
    """The code that an error has on the outside; a bug is UNEXPECTED."""
    return error.code if isinstance(error, PathstreamError) else "UNEXPECTED"


def error_category(error: Exception) -> ErrorCategory:
    """The category that an error has on the outside; anything not ours is a bug."""
    return error.category if isinstance(error, PathstreamError) else "bug"
