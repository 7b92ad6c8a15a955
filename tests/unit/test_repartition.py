"""Records in a repartition topic that somebody else wrote: read as they stand, whatever their headers say."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord

from consumers.engine.repartition import forward, origin_of, place_of
from schemas.ids import Coordinates, LearnerId

TOPIC = "group-repartition"


def record(topic: str, headers: list[tuple[str, Any]]) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(topic, 1, 7, 1, 0, b"key", b"{}", None, 3, 2, headers)


def test_a_forwarded_record_says_where_it_stood() -> None:
    first = record("in", [("own", b"header")])
    sent = forward(first, LearnerId("ann"), TOPIC, 12)
    moved = record(TOPIC, sent.headers)
    assert origin_of(moved) == origin_of(first)
    assert place_of(moved) == place_of(first) == Coordinates("in", 1, 7)


@pytest.mark.parametrize("missing", ["topic", "partition", "offset", "timestamp", "timestamp-type"])
@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_strangers_headers_end_nothing(missing: str, value: bytes | None) -> None:
    headers = dict(forward(record("in", []), LearnerId("ann"), TOPIC, 12).headers)
    headers[f"pathstream-origin-{missing}"] = value  # type: ignore[assignment]
    assert place_of(record(TOPIC, list(headers.items()))) == Coordinates(TOPIC, 1, 7)
