"""Records that are not where they belong: forwarded once, to their learner's partition, never to the upstream's topic.

A learner's task is the one that Kafka's own default partitioner (murmur2) gives for the learner's id. Upstreams may key
by something else, or partition otherwise: librdkafka, and so most clients that are not Java's, takes a CRC32.

The forwarded record keeps its bytes and headers and carries what it was before, so that outputs and dead letters
still point at the upstream's record.
"""

from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from consumers.engine.names import REPARTITION_SUFFIX
from producers.output import Headers, Output, partition_for
from schemas.ids import Coordinates, LearnerId

_PREFIX = "pathstream-origin-"
_TOPIC = f"{_PREFIX}topic"
_PARTITION = f"{_PREFIX}partition"
_OFFSET = f"{_PREFIX}offset"
_TIMESTAMP = f"{_PREFIX}timestamp"
_TIMESTAMP_TYPE = f"{_PREFIX}timestamp-type"
_KEY = f"{_PREFIX}key"


class Origin(NamedTuple):
    """A record as the upstream wrote it."""

    at: Coordinates
    key: bytes | None
    timestamp_ms: int
    timestamp_type: int
    headers: Headers


def is_at_home(record: ConsumerRecord[Any, Any], learner_id: str, partitions: int) -> bool:
    """Whether the record stands where all of its learner's do, of so many partitions."""
    key = learner_id.encode()
    return bool(record.key == key and record.partition == partition_for(key, partitions))


def forward(record: ConsumerRecord[Any, Any], learner_id: LearnerId, topic: str, partitions: int) -> Output:
    """The record under its learner's id, for the learner's partition of the group's repartition topic."""
    headers: Headers = [
        *record.headers,
        (_TOPIC, record.topic.encode()),
        (_PARTITION, str(record.partition).encode()),
        (_OFFSET, str(record.offset).encode()),
        (_TIMESTAMP, str(record.timestamp).encode()),
        (_TIMESTAMP_TYPE, str(record.timestamp_type).encode()),
    ]
    if record.key is not None:
        headers.append((_KEY, record.key))
    key = learner_id.encode()
    return Output(topic, key, record.value, headers, partition_for(key, partitions))


def place_of(record: ConsumerRecord[Any, Any]) -> Coordinates:
    """Where the record first stood: here, or where it was forwarded from."""
    if record.topic.endswith(REPARTITION_SUFFIX):
        return origin_of(record).at
    return Coordinates(record.topic, record.partition, record.offset)


def origin_of(record: ConsumerRecord[Any, Any]) -> Origin:
    """The record as it first stood: here, or where it was forwarded from."""
    at = Coordinates(topic=record.topic, partition=record.partition, offset=record.offset)
    here = Origin(at, record.key, record.timestamp, record.timestamp_type, list(record.headers))
    if not record.topic.endswith(REPARTITION_SUFFIX):
        return here
    was = {name: value for name, value in record.headers if name.startswith(_PREFIX)}
    try:
        at = Coordinates(topic=was[_TOPIC].decode(), partition=int(was[_PARTITION]), offset=int(was[_OFFSET]))
        timestamp_ms, timestamp_type = int(was[_TIMESTAMP]), int(was[_TIMESTAMP_TYPE])
    except (KeyError, ValueError, AttributeError, TypeError):  # a header may have no value
        return here  # somebody else wrote to our topic
    headers = [(name, value) for name, value in record.headers if not name.startswith(_PREFIX)]
    return Origin(at, was.get(_KEY), timestamp_ms, timestamp_type, headers)
