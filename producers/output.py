"""A record on its way out: how it is built, which partition it goes to, how records become batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas import codec
from schemas.envelope import OutputModel
from schemas.errors import OutputTooLargeError
from schemas.ids import Coordinates, EventId
from schemas.outputs import SCHEMA_VERSION

Headers = list[tuple[str, bytes]]

_MAGIC = 2
_UNCOMPRESSED = 0
_KEYS_REMEMBERED = 20_000
_MAX_BATCH_BYTES = 2**20


class Output(NamedTuple):
    """One record to send; `partition` None lets the key decide, as Kafka's own default partitioner does."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes as a batch of its own, at the most."""
        return size_of(self.key, self.value, self.headers)


class Batch(NamedTuple):
    """Records of one partition that travel as one Kafka record batch."""

    topic: str
    partition: int
    builder: DefaultRecordBatchBuilder
    records: int


class Source(NamedTuple):
    """The event that an output comes from; `at` is where it first stood, also after a repartition."""

    at: Coordinates
    event_id: EventId
    traceparent: bytes | None


def build_output(topic: str, key: str, payload: OutputModel, *, event_id: EventId, source: Source) -> Output:
    """An output record with the headers that every one carries (contracts)."""
    headers: Headers = [
        ("event-id", event_id.encode()),
        ("source-event-id", source.event_id.encode()),
        ("source-topic", source.at.topic.encode()),
        ("source-partition", str(source.at.partition).encode()),
        ("source-offset", str(source.at.offset).encode()),
        ("schema-version", SCHEMA_VERSION.encode()),
        ("content-type", b"application/json"),
    ]
    if source.traceparent:
        headers.append(("traceparent", source.traceparent))
    return Output(topic, key.encode(), codec.encode(payload), headers)


def size_of(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes that such a record takes as a batch of its own, at the most."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
    return size


def check_size(topic: str, size: int, max_bytes: int) -> None:
    """Raise OutputTooLargeError for a record of that size which its topic would refuse."""
    if size > max_bytes:
        raise OutputTooLargeError(f"{size} bytes for {topic!r}, which takes {max_bytes}")


def partition_for(key: bytes, partitions: int) -> int:
    """The partition that Kafka's Java client would choose for the key."""
    return _positive_murmur2(key) % partitions


@lru_cache(maxsize=_KEYS_REMEMBERED)
def _positive_murmur2(key: bytes) -> int:
    """Remembered for keys and not for topics: an event's own place and those of its outputs cost it once."""
    found: int = murmur2(key) & 0x7FFFFFFF
    return found


def build_batches(
    outputs: Iterable[Output], *, partition_count: Callable[[str], int], max_bytes: Callable[[str], int]
) -> list[Batch]:
    """Pack records into batches, in their order within each partition.

    `partition_count` and `max_bytes` answer for a topic. A record without key goes to partition 0.
    """
    by_partition: defaultdict[tuple[str, int], list[Output]] = defaultdict(list)
    for output in outputs:
        topic, key, _, _, partition = output
        if partition is None:
            partition = partition_for(key, partition_count(topic)) if key is not None else 0
        by_partition[topic, partition].append(output)
    batches: list[Batch] = []
    for (topic, partition), records in by_partition.items():
        batches.extend(_pack(topic, partition, records, min(_MAX_BATCH_BYTES, max_bytes(topic))))
    return batches


def _pack(topic: str, partition: int, records: Sequence[Output], max_bytes: int) -> list[Batch]:
    batches: list[Batch] = []
    builder, count = _new_builder(max_bytes), 0
    for record in records:
        if builder.append(count, None, record.key, record.value, record.headers) is None:
            batches.append(Batch(topic, partition, builder, count))
            builder, count = _new_builder(max_bytes), 0
            builder.append(count, None, record.key, record.value, record.headers)
        count += 1
    batches.append(Batch(topic, partition, builder, count))
    return batches


def _new_builder(max_bytes: int) -> DefaultRecordBatchBuilder:
    """An empty transactional batch; the producer's id and sequence are set when it is sent."""
    return DefaultRecordBatchBuilder(_MAGIC, _UNCOMPRESSED, 1, -1, -1, 0, max_bytes)
