"""A store of committed data without a disk."""

from collections.abc import Iterable

from consumers.engine.table import Changes
from schemas.errors import StoreBusyError


class DictStore:
    """Committed data in a dict; what `consumers.engine.table.Store` asks for."""

    def __init__(self) -> None:
        self.position = 0
        self.values: dict[bytes, bytes] = {}
        self.is_full = False

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def keys(self, prefix: bytes) -> Iterable[bytes]:
        return [key for key in self.values if key.startswith(prefix)]

    def probe(self) -> None:
        if self.is_full:
            raise StoreBusyError("no room")

    def apply(self, changes: Changes, position: int) -> None:
        self.probe()
        self.position = position
        for key, value in changes.items():
            self.values.pop(key, None)
            if value is not None:
                self.values[key] = value
