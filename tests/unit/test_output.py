"""Records go to the partition Kafka's own clients would choose, in order, in batches their topic takes."""

from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from producers.output import Output, build_batches, partition_for

# From Apache Kafka's UtilsTest.testMurmur2, as positive hashes modulo 2**31.
KAFKAS_OWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_a_key_goes_where_kafkas_java_client_sends_it() -> None:
    for key, murmur2 in KAFKAS_OWN.items():
        assert partition_for(key, 12) == (murmur2 & 0x7FFFFFFF) % 12


@given(
    keys=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    size=st.integers(0, 400),
    max_bytes=st.integers(700, 3_000),
)
def test_batches_keep_the_order_within_a_partition_and_the_size_limit(
    keys: list[int], size: int, max_bytes: int
) -> None:
    outputs = [Output("t", b"k%d" % key, b"%d " % n + b"x" * size, []) for n, key in enumerate(keys)]
    batches = build_batches(outputs, partition_count=lambda _topic: 3, max_bytes=lambda _topic: max_bytes)
    seen: dict[int, list[int]] = {}
    for batch in batches:
        data = bytes(batch.builder.build())
        assert len(data) <= max_bytes
        records = list(DefaultRecordBatch(bytearray(data)))
        assert len(records) == batch.records
        seen.setdefault(batch.partition, []).extend(int(record.value.split()[0]) for record in records)
    assert sorted(number for numbers in seen.values() for number in numbers) == list(range(len(keys)))
    assert all(numbers == sorted(numbers) for numbers in seen.values())
