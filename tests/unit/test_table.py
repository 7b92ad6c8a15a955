"""A table of state: whatever becomes of its checkpoints and of the disk, it says what a plain dict would."""

from collections.abc import Iterable

from aiokafka import TopicPartition
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.engine.table import Table
from tests.unit.dict_store import DictStore

KEYS = st.sampled_from([b"a", b"b", b"c"])
VALUES = st.binary(min_size=1, max_size=1)
CHANGELOG = TopicPartition("state", 0)


def replay(values: dict[bytes, bytes], changes: Iterable[tuple[bytes, bytes | None]]) -> None:
    """What a log of changes makes of some values."""
    for key, value in changes:
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


class TableMachine(RuleBasedStateMachine):
    """Changes and checkpoints in any order, beside a dict of what a handler would have, and Kafka's log and its sum."""

    def __init__(self) -> None:
        super().__init__()
        self.store = DictStore()
        self.table = Table(CHANGELOG, self.store)
        self.newest: dict[bytes, bytes] = {}
        self.tried: dict[bytes, bytes] | None = None
        self.sent: list[tuple[bytes, bytes | None]] = []
        self.log: list[tuple[bytes, bytes | None]] = []
        self.in_kafka: dict[bytes, bytes] = {}

    @rule(key=KEYS, value=VALUES)
    def put(self, key: bytes, value: bytes) -> None:
        self.table.put(key, value)
        self.newest[key] = value

    @rule(key=KEYS, value=VALUES)
    def add(self, key: bytes, value: bytes) -> None:
        if key not in self.newest:
            self.table.add(key, value)
            self.newest[key] = value

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        self.table.put(key, None)
        self.newest.pop(key, None)

    @rule(key=KEYS)
    def withdraw(self, key: bytes) -> None:
        self.table.withdraw(key)
        self.newest.pop(key, None)

    @rule()
    def begin(self) -> None:
        """A checkpoint is tried, for the first time or again."""
        self.sent = [(record.key, record.value) for record in self.table.begin() if record.key is not None]
        self.tried = dict(self.in_kafka)
        replay(self.tried, self.sent)
        assert self.tried == self.newest, "a checkpoint leaves a value behind, or takes one too many"

    @precondition(lambda self: self.tried is not None)
    @rule(is_end_known=st.booleans())
    def confirm(self, is_end_known: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        assert self.tried is not None
        self.log += self.sent
        self.table.confirm(len(self.log) if is_end_known else None)
        self.in_kafka, self.tried = self.tried, None

    @rule()
    def save(self) -> None:
        refused = self.table.save() is not None
        assert refused or self.store.values == self.in_kafka
        assert refused == (self.table.unwritten_bytes > 0)

    @rule(is_full=st.booleans())
    def fill_or_free_the_disk(self, is_full: bool) -> None:  # noqa: FBT001
        self.store.is_full = is_full

    @rule()
    def drop(self) -> None:
        """The task starts over: a restore reads what the store does not have."""
        self.table.drop()
        self.store.is_full = False
        for key, value in self.log[self.store.position :]:
            self.store.apply({key: value}, self.store.position + 1)
        self.table = Table(CHANGELOG, self.store)
        self.newest, self.tried = dict(self.in_kafka), None

    @invariant()
    def says_what_a_dict_says(self) -> None:
        assert {key: value for key in (b"a", b"b", b"c") if (value := self.table.get(key)) is not None} == self.newest


TestAnyChangesAndCheckpoints = TableMachine.TestCase


def test_what_is_added_and_withdrawn_between_two_checkpoints_is_never_written() -> None:
    table = Table(CHANGELOG, DictStore())
    table.add(b"a", b"1")
    table.withdraw(b"a")
    assert not table.dirty
    assert table.begin() == []
