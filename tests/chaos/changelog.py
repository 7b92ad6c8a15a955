"""What the state changelog holds, read without the engine: its keys are parts, joined by a zero byte.

A zero byte within a part is written as 0xff. `s`, name, learner, key: a value of a learner's state. `j`, version,
learner, event id, step: the result of a step of an event that was not finished by then. `m`, id: what the log was begun
as. No value: removed.
"""

import json
from collections.abc import Iterable, Iterator

from tests.chaos.check import Remains
from tests.chaos.job import MARK, STATE_KEY, TALLY


def parts_of(key: bytes) -> list[str]:
    """The parts of a key."""
    return [part.replace(b"\xff", b"\x00").decode() for part in key.split(b"\x00")]


def journaled(records: Iterable[tuple[bytes, bytes | None]]) -> Iterator[int]:
    """The paid calls whose results were written to a journal, whether or not it is still there."""
    for key, value in records:
        if value is not None and parts_of(key)[0] == "j":
            yield json.loads(value)["id"]


def remains_of(records: Iterable[tuple[bytes, bytes | None]]) -> Remains:
    """What is left after all records of the changelog, in order. Raises ValueError for a key of no known form."""
    newest = {key: value for key, value in records}  # noqa: C416 - later ones replace earlier ones
    tallies: dict[str, tuple[int, str]] = {}
    marked: set[str] = set()
    journals: list[str] = []
    for key, value in newest.items():
        if value is None:
            continue
        match parts_of(key):
            case ["s", name, learner, str(inner)] if name == TALLY and inner == STATE_KEY:
                tally = json.loads(value)
                tallies[learner] = tally["count"], tally["hash"]
            case ["s", name, learner, str(inner)] if name == MARK and inner == STATE_KEY:
                marked.add(learner)
            case ["p" | "m", _]:
                continue
            case ["j", *where]:
                journals.append(" ".join(where))
            case parts:
                raise ValueError(f"a key of no known form in the state changelog: {parts}")
    return Remains(tallies, frozenset(marked), journals)
