"""Cleaning the embedded broker's logs, in any order of events: what is committed and newest is never lost."""

from collections.abc import Iterator
from typing import Literal

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.embedded_kafka.batch import Batch
from clients.embedded_kafka.log import PartitionLog, Slice

Step = tuple[int, Literal["send", "commit", "abort"], bytes]

PRODUCERS = (1, 2)
KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
ACTIONS = st.sampled_from(["send", "send", "commit", "abort"])
STEPS = st.lists(st.tuples(st.sampled_from(PRODUCERS), ACTIONS, KEYS), min_size=5, max_size=60)
LIMITS = st.integers(200, 700)  # bytes: a few batches, so that there is a lot to clean


def batch(producer_id: int, sequence: int, key: bytes, value: bytes) -> Batch:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=1,
        producer_id=producer_id,
        producer_epoch=0,
        base_sequence=sequence,
        batch_size=10_000,
    )
    builder.append(0, timestamp=0, key=key, value=value, headers=[])
    return Batch.parse(bytes(builder.build()))


def committed_records(found: Slice) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, as a read_committed consumer picks them out of a fetch."""
    to_come = sorted(found.aborted, key=lambda aborted: aborted.first_offset)
    void: set[int] = set()
    records = MemoryRecords(found.data)
    while (each := records.next_batch()) is not None:
        while to_come and to_come[0].first_offset <= each.base_offset:
            void.add(to_come.pop(0).producer_id)
        if each.is_control_batch:
            void.discard(each.producer_id)
        elif each.producer_id not in void:
            for record in each:
                yield record.key, record.value


def play(log: PartitionLog, steps: list[Step]) -> list[tuple[bytes, bytes]]:
    """Let the producers act, then commit what is open; what was committed, in the log's order."""
    open_records: dict[int, list[tuple[int, bytes, bytes]]] = {producer: [] for producer in PRODUCERS}
    committed: list[tuple[int, bytes, bytes]] = []
    sent = dict.fromkeys(PRODUCERS, 0)

    def end(producer: int, *, commit: bool) -> None:
        log.end_transaction(producer_id=producer, producer_epoch=0, committed=commit)
        committed.extend(open_records[producer] if commit else [])
        open_records[producer].clear()

    for number, (producer, action, key) in enumerate(steps):
        if action == "send":
            value = b"%d" % number
            offset = log.append(batch(producer, sent[producer], key, value))
            sent[producer] += 1
            open_records[producer].append((offset, key, value))
        else:
            end(producer, commit=action == "commit")
    for producer in PRODUCERS:
        end(producer, commit=True)
    return [(key, value) for _offset, key, value in sorted(committed)]


@settings(max_examples=500, deadline=None)
@given(steps=STEPS, max_bytes=LIMITS)
def test_a_compacted_log_ends_in_the_same_state_as_one_that_was_never_cleaned(
    steps: list[Step], max_bytes: int
) -> None:
    log = PartitionLog(max_bytes=max_bytes, max_batch_bytes=10_000, is_compacted=True)
    committed = play(log, steps)
    read = list(committed_records(log.read(0, committed_only=True, max_bytes=10**9)))
    assert dict(read) == dict(committed)
    assert set(read) <= set(committed)


@settings(max_examples=500, deadline=None)
@given(steps=STEPS, max_bytes=LIMITS)
def test_a_trimmed_log_loses_its_oldest_records_only(steps: list[Step], max_bytes: int) -> None:
    log = PartitionLog(max_bytes=max_bytes, max_batch_bytes=10_000, is_compacted=False)
    committed = play(log, steps)
    read = list(committed_records(log.read(log.start_offset, committed_only=True, max_bytes=10**9)))
    assert read == committed[len(committed) - len(read) :]
