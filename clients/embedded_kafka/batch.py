"""One record batch of format 2, read and numbered without unpacking its records.

Source: Kafka's documentation, "Message Format".
"""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from clients.embedded_kafka.codes import Code, RefusedError

# base offset, length, leader epoch, magic, checksum, attributes, last offset delta,
# first and last timestamp, producer id, producer epoch, base sequence, number of records
HEADER = struct.Struct(">qiibIhiqqqhii")
CHECKED_FROM = 21  # the checksum covers everything behind itself
LENGTH_FROM = 12  # the length counts everything behind itself
MAGIC = 2
TRANSACTIONAL = 0x10
CONTROL = 0x20
NO_PRODUCER = -1
MARKER_VALUE = bytes(6)  # version and coordinator epoch, both zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch and what its header says; `data` is what goes over the wire."""

    data: bytes
    base_offset: int
    last_offset: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    is_transactional: bool
    is_control: bool

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a batch as a producer sent it; raises RefusedError when it is not exactly one sound batch."""
        if len(data) < HEADER.size:
            raise RefusedError(Code.CORRUPT_MESSAGE)
        header = HEADER.unpack_from(data)
        (
            base,
            length,
            _,
            magic,
            checksum,
            attributes,
            last_delta,
            _,
            timestamp,
            producer,
            epoch,
            sequence,
            _,
        ) = header
        if magic != MAGIC:
            raise RefusedError(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT)
        if length + LENGTH_FROM != len(data):
            raise RefusedError(Code.INVALID_RECORD)
        if last_delta < 0 or calc_crc32c(memoryview(data)[CHECKED_FROM:]) != checksum:
            raise RefusedError(Code.CORRUPT_MESSAGE)
        return cls(
            data=data,
            base_offset=base,
            last_offset=base + last_delta,
            max_timestamp=timestamp,
            producer_id=producer,
            producer_epoch=epoch,
            base_sequence=sequence,
            is_transactional=bool(attributes & TRANSACTIONAL),
            is_control=bool(attributes & CONTROL),
        )

    @classmethod
    def marker(cls, *, producer_id: int, producer_epoch: int, committed: bool) -> Self:
        """The control record that ends a transaction on a partition."""
        key = struct.pack(">hh", 0, int(committed))
        record = _varint(0, 0, 0, len(key)) + key + _varint(len(MARKER_VALUE)) + MARKER_VALUE + _varint(0)
        records = _varint(len(record)) + record
        now = int(time.time() * 1000)
        length = HEADER.size - LENGTH_FROM + len(records)
        attributes = TRANSACTIONAL | CONTROL
        header = [0, length, 0, MAGIC, 0, attributes, 0, now, now, producer_id, producer_epoch, -1, 1]
        header[4] = calc_crc32c((HEADER.pack(*header) + records)[CHECKED_FROM:])
        return cls.parse(HEADER.pack(*header) + records)

    @property
    def record_count(self) -> int:
        """How many offsets it takes."""
        return self.last_offset - self.base_offset + 1

    def numbered(self, base_offset: int) -> Self:
        """The same batch at its place in a log."""
        data = b"".join((struct.pack(">q", base_offset), self.data[8:12], bytes(4), self.data[16:]))
        return replace(self, data=data, base_offset=base_offset, last_offset=base_offset + self.record_count - 1)

    def records(self) -> Iterator[DefaultRecord]:
        """Its records, unpacked."""
        return iter(DefaultRecordBatch(self.data))


def _varint(*values: int) -> bytes:
    """Small numbers (below 64) in Kafka's zigzag encoding: one byte each."""
    return bytes(value << 1 for value in values)
