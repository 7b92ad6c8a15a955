"""The offsets that groups have committed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from clients.embedded_kafka.codes import Code, RefusedError

MAX_METADATA_CHARS = 4096

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """The next offset a group will read, and what it noted beside it."""

    next_offset: int
    metadata: str

    def __post_init__(self) -> None:
        if len(self.metadata) > MAX_METADATA_CHARS:
            raise RefusedError(Code.OFFSET_METADATA_TOO_LARGE)


NOTHING_COMMITTED = CommittedOffset(-1, "")


class CommittedOffsets:
    """The committed offsets of every group."""

    def __init__(self) -> None:
        self._offsets: defaultdict[str, dict[Partition, CommittedOffset]] = defaultdict(dict)

    def groups(self) -> list[str]:
        """The groups that have committed something."""
        return list(self._offsets)

    def commit(self, group_id: str, offsets: Mapping[Partition, CommittedOffset]) -> None:
        """Store a group's offsets."""
        self._offsets[group_id].update(offsets)

    def of(self, group_id: str) -> Mapping[Partition, CommittedOffset]:
        """Everything that a group has committed."""
        return self._offsets.get(group_id, {})
