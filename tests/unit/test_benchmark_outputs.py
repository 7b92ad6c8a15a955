"""What `make bench-peers` counts is what there is: its verdict on others has to be beyond doubt."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.peers.outputs import Outputs
from tests.benchmarks.peers.programs.job import Job, key_of

EVENTS = 40
KEYS = 4


def value(number: int) -> bytes:
    """As `tests/benchmarks/load.py` writes them."""
    return b'{"userId":"learner-%04d","n":%d,"text":"x"}' % (number % KEYS, number)


def outputs_of(numbers: list[int]) -> Outputs:
    outputs = Outputs(EVENTS)
    for at, number in enumerate(numbers):
        outputs.add(key_of(value(number)), value(number), appended_ms=1_000 + 10 * at)
    return outputs


@given(st.lists(st.integers(0, EVENTS - 1)))
def test_lost_and_duplicate_outputs_are_counted_whatever_their_order(numbers: list[int]) -> None:
    outputs = outputs_of(numbers)
    seen = Counter(numbers)
    assert outputs.lost == EVENTS - len(seen)
    assert outputs.duplicates == sum(times - 1 for times in seen.values())
    assert outputs.complete == (len(seen) == EVENTS)


@given(st.permutations(range(EVENTS)))
def test_events_are_overtaken_by_later_ones_of_their_own_key_only(numbers: list[int]) -> None:
    def came_after_a_later_one(at: int) -> bool:
        return any(earlier > numbers[at] and earlier % KEYS == numbers[at] % KEYS for earlier in numbers[:at])

    assert outputs_of(numbers).overtaken == sum(map(came_after_a_later_one, range(EVENTS)))


def test_a_replay_in_order_is_a_duplicate_and_no_disorder() -> None:
    outputs = outputs_of([0, 4, 8, 4, 8, 12])
    assert (outputs.duplicates, outputs.overtaken) == (2, 0)


def test_the_rate_leaves_out_a_slow_start_and_a_slow_end() -> None:
    outputs = Outputs(10)
    for number, stamp in enumerate([0, *range(60_000, 60_800, 100), 120_000]):
        outputs.add(key_of(value(number)), value(number), appended_ms=stamp)
    assert outputs.rate == 10.0


@given(st.integers(0, 10**6))
def test_work_takes_half_to_one_and_a_half_times_what_is_asked_for(number: int) -> None:
    job = Job(servers="", source="", target="", group="", work_seconds=2.0, mode="exactly-once", workers=1, folder="")
    assert 1.0 <= job.seconds(value(number)) < 3.0
    assert job.seconds(value(number)) == job.seconds(value(number))
