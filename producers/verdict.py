"""What Kafka's error codes mean for a transaction."""

from enum import Enum, auto


class Verdict(Enum):
    """What is to be done about an answer."""

    OK = auto()
    RETRY = auto()
    MOVED = auto()
    """Retry, at another node."""
    FENCED = auto()
    REFUSED = auto()
    MISSING = auto()
    FAILED = auto()


# Kafka's error codes: https://kafka.apache.org/protocol#protocol_error_codes
_VERDICTS = (
    dict.fromkeys((0, 46), Verdict.OK)  # 46: a batch that the broker has already
    | dict.fromkeys((7, 13, 14, 19, 20, 51, 55), Verdict.RETRY)
    | dict.fromkeys((5, 6, 9, 15, 16, 56, 74, 75), Verdict.MOVED)
    | dict.fromkeys((22, 25, 27, 47, 48, 49, 59, 82, 90), Verdict.FENCED)
    | dict.fromkeys((10, 18), Verdict.REFUSED)
    | {3: Verdict.MISSING}
)


def verdict_on(code: int) -> Verdict:
    """Of one error code; one that is not known is a failure."""
    return _VERDICTS.get(code, Verdict.FAILED)
