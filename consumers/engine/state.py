"""A handler's view of state: named maps of one learner's values, typed by pydantic models."""

from typing import Generic, TypeVar

from pydantic import BaseModel

from consumers.engine.table import Table
from producers.output import check_size, size_of
from schemas import codec

Model = TypeVar("Model", bound=BaseModel)

_STATE = "s"


def key_of(*parts: str) -> bytes:
    """One key of several parts, in the order of the parts; no two lists of parts give the same one.

    What follows `key_of(*parts)` and a NUL is of exactly those parts: a NUL within a part is written as 0xff, a byte
    that UTF-8 does not have.
    """
    key = "\x00".join(parts)
    return key.encode() if key.count("\x00") < len(parts) else b"\x00".join(map(key_part, parts))


def key_part(part: str) -> bytes:
    """What `key_of` makes of one part."""
    return part.encode().replace(b"\x00", b"\xff")


class StateMap(Generic[Model]):
    """A named map of one learner. Writes are the event's own until it is done; then the learner's next event sees them.

    Raises pydantic's ValidationError for a stored value that the model no longer takes.
    """

    __slots__ = ("_data", "_max_bytes", "_model", "_prefix", "_writes")

    def __init__(
        self,
        data: Table,
        writes: dict[bytes, bytes | None],
        *,
        name: str,
        learner: str,
        model: type[Model],
        max_bytes: int,
    ) -> None:
        self._max_bytes = max_bytes
        self._data = data
        self._writes = writes
        self._prefix = key_of(_STATE, name, learner) + b"\x00"
        self._model = model

    def get(self, key: str) -> Model | None:
        """The value, or None."""
        raw_key = self._key(key)
        raw = self._writes[raw_key] if raw_key in self._writes else self._data.get(raw_key)
        return None if raw is None else self._model.model_validate_json(raw)

    def put(self, key: str, value: Model) -> None:
        """Set the value. Raises OutputTooLargeError for one that the changelog would not take."""
        raw_key, raw = self._key(key), codec.dump(value)
        check_size(self._data.changelog.topic, size_of(raw_key, raw, []), self._max_bytes)
        self._writes[raw_key] = raw

    def delete(self, key: str) -> None:
        """Remove the value, if there is one."""
        self._writes[self._key(key)] = None

    def _key(self, key: str) -> bytes:
        return self._prefix + key_part(key)
