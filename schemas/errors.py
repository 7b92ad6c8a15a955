"""Every error of the service in one tree; `consumers/engine/failure.py` alone decides what follows from each.

PathstreamError
├── EventError                     the record is no valid event: dead letter at once
│   ├── InvalidJsonError
│   ├── InvalidEventError
│   └── EventTooLargeError
├── UnknownApprovalError           a decision on nothing that waits for one
├── ModelError                     a model call did not give a usable answer
│   ├── ModelTransientError        429, 5xx, connection          (retriable)
│   │   └── ModelTimeoutError      no answer in time             (retriable)
│   ├── ModelRejectedError         bad key, bad request: the same call fails again
│   ├── ModelBlockedError          refused by the provider's safety rules
│   ├── ModelTruncatedError        ran into the output limit
│   ├── ModelMalformedError        text that is not what was asked for
│   └── BatchesFailedError         so for parts of an exam: asked afresh, the model may do better (retriable)
├── ServiceError                   a service behind HTTP did not give a usable answer
│   ├── ContentServiceError
│   │   ├── ContentServiceUnavailableError   no connection, 5xx, silent, not JSON   (retriable)
│   │   │   └── ContentServiceRefusedError   another 4xx, a redirect: the same call fails again
│   │   └── ContentServiceDeniedError        401, 403
│   └── SkillsEngineError
│       ├── SkillsEngineUnavailableError     as above   (retriable)
│       │   └── SkillsEngineRefusedError
│       └── SkillsEngineDeniedError
├── OutputTooLargeError            a result that no topic of ours would take
├── InstanceTakenError             another process runs under this worker's KAFKA_GROUP_INSTANCE_ID
├── StoreError                     the local copy of a task's state failed: it is rebuilt      (retriable)
│   └── StoreDamagedError          its files are not what was written
└── TransactionError               a checkpoint did not get through
    ├── FencedError                the task has another owner, or its transaction timed out
    └── TransactionFailedError     perhaps committed, perhaps not: look, then go on   (retriable)
        ├── TopicMissingError
        └── RecordRefusedError     the broker's limits are tighter than those read from it
"""

from typing import ClassVar, Literal

ErrorCode = Literal[
    "INVALID_JSON",
    "INVALID_EVENT",
    "EVENT_TOO_LARGE",
    "UNKNOWN_APPROVAL",
    "LLM_UNAVAILABLE",
    "LLM_INVALID_OUTPUT",
    "LLM_BLOCKED",
    "CONTENT_SERVICE_UNAVAILABLE",
    "SKILLS_ENGINE_UNAVAILABLE",
    "UNEXPECTED",
]
ErrorCategory = Literal["validation", "conflict", "timeout", "llm", "content_service", "bug"]


class PathstreamError(Exception):
    """Base of all errors this service raises on purpose.

    `code` and `category` are those of the dead-letter headers; `retriable` says whether the same attempt,
    made again later, may succeed.
    """

    code: ClassVar[ErrorCode] = "UNEXPECTED"
    category: ClassVar[ErrorCategory] = "bug"
    retriable: ClassVar[bool] = False


class EventError(PathstreamError):
    """The record's bytes are not an event that this flow takes."""

    code: ClassVar[ErrorCode] = "INVALID_EVENT"
    category: ClassVar[ErrorCategory] = "validation"


class InvalidJsonError(EventError):
    """Not UTF-8, not JSON, or JSON that only Python's parser would take (NaN, lone surrogates)."""

    code: ClassVar[ErrorCode] = "INVALID_JSON"


class InvalidEventError(EventError):
    """JSON, but not an object, or an object that does not fit the event's schema."""


class EventTooLargeError(EventError):
    """More bytes than `MAX_EVENT_BYTES`."""

    code: ClassVar[ErrorCode] = "EVENT_TOO_LARGE"


class UnknownApprovalError(PathstreamError):
    """A decision on an approval that was never requested, was superseded, or was decided otherwise."""

    code: ClassVar[ErrorCode] = "UNKNOWN_APPROVAL"
    category: ClassVar[ErrorCategory] = "conflict"


class ModelError(PathstreamError):
    """A model call that gave no usable answer."""

    code: ClassVar[ErrorCode] = "LLM_UNAVAILABLE"
    category: ClassVar[ErrorCategory] = "llm"


class ModelTransientError(ModelError):
    """The provider may answer if asked again: overload, rate limit, lost connection."""

    retriable = True

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ModelTimeoutError(ModelTransientError):
    """No complete answer within `LLM_TIMEOUT_SECONDS`."""

    category: ClassVar[ErrorCategory] = "timeout"


class ModelRejectedError(ModelError):
    """The provider refuses the call itself (key, model name, request): asking again changes nothing."""


class ModelBlockedError(ModelError):
    """The provider's safety rules stopped the prompt or the answer; never retried as it is."""

    code: ClassVar[ErrorCode] = "LLM_BLOCKED"


class ModelTruncatedError(ModelError):
    """The answer ended at the output limit."""

    code: ClassVar[ErrorCode] = "LLM_INVALID_OUTPUT"


class ModelMalformedError(ModelError):
    """The answer is empty, not JSON, or does not fit the schema, also after asking again."""

    code: ClassVar[ErrorCode] = "LLM_INVALID_OUTPUT"


class BatchesFailedError(ModelError):
    """Batches of an exam got answers that are of no use; the others are kept, these are to be asked for again."""

    code: ClassVar[ErrorCode] = "LLM_INVALID_OUTPUT"
    retriable = True


class ServiceError(PathstreamError):
    """A service behind HTTP gave no usable answer; `retry_after_seconds` is the least wait that it asked for.

    One category for all of them: contracts has no other.
    """

    category: ClassVar[ErrorCategory] = "content_service"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ContentServiceError(ServiceError):
    """The content service gave no usable answer."""

    code: ClassVar[ErrorCode] = "CONTENT_SERVICE_UNAVAILABLE"


class ContentServiceUnavailableError(ContentServiceError):
    """No connection, 5xx, silent, too large, or not the JSON it promised."""

    retriable = True


class ContentServiceRefusedError(ContentServiceUnavailableError):
    """A redirect or another 4xx: the same call would get it again."""

    retriable = False


class ContentServiceDeniedError(ContentServiceError):
    """401 or 403: the secret is wrong; an operator has to act."""


class SkillsEngineError(ServiceError):
    """The Skills Engine gave no usable answer."""

    code: ClassVar[ErrorCode] = "SKILLS_ENGINE_UNAVAILABLE"


class SkillsEngineUnavailableError(SkillsEngineError):
    """No connection, 5xx, silent, too large, or not the JSON it promised."""

    retriable = True


class SkillsEngineRefusedError(SkillsEngineUnavailableError):
    """A redirect or another 4xx: the same call would get it again."""

    retriable = False


class SkillsEngineDeniedError(SkillsEngineError):
    """401 or 403: the secret is wrong; an operator has to act."""


class OutputTooLargeError(PathstreamError):
    """A result larger than its topic's `max.message.bytes`, after everything optional was cut."""


class InstanceTakenError(PathstreamError):
    """Another process joined the group under this worker's `KAFKA_GROUP_INSTANCE_ID`: only one of them can stay."""


class StoreError(PathstreamError):
    """The store on disk cannot be opened, read or written; what it held is in Kafka."""

    retriable = True


class StoreBusyError(StoreError):
    """The store takes no writes now: the disk is full, or RocksDB is behind. What is written already can be read."""


class StoreDamagedError(StoreError):
    """What is on disk is not what was written: it has to be removed before the store can be built anew."""


class TransactionError(PathstreamError):
    """A transaction did not end with a confirmed commit."""


class FencedError(TransactionError):
    """Another producer has this transactional id now, or the broker gave the transaction up."""


class TransactionFailedError(TransactionError):
    """The transaction's outcome is unknown: the committed offsets tell."""

    retriable = True


class TopicMissingError(TransactionFailedError):
    """A topic that a transaction needs does not exist."""


class RecordRefusedError(TransactionFailedError):
    """The broker finds a record or batch too large for its topic."""


def first_error(error: BaseException) -> BaseException:
    """What is in a group, or a group of groups, first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
