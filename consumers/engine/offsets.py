"""Which offsets of a partition are done, and how that is written into a commit. Pure: no clock, no I/O, no logger.

Events finish out of order. The offset that is committed is the first unfinished one; what is done beyond it is
written as a bitmap into the commit's metadata (Kafka's `offset.metadata.max.bytes`, 4,096 characters by default).
A stateful task writes the same two into its changelog, in the same transaction (ADR 013).
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from consumers.engine.state import key_of

_POSITION = "p"
_PREFIX = "ps1"
_OURS = re.compile(r"ps\d+;")
_TO_ASCII_DIGITS = bytes([ord("0"), ord("1")]) + bytes(254)


Committed = tuple[int, str]
"""What is committed for a partition: the offset and the metadata."""


class PassedOffsetError(Exception):
    """A partition gave records that it gave before: its log was cut or made anew."""


class UnknownProgressError(Exception):
    """The metadata was written by another version of this format; guessing would repeat finished events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What one commit says of one partition.

    `next_offset` is the first unfinished offset, `done` the finished ones beyond it; `marker` names the checkpoint
    that wrote it, so that its owner can tell after a failure whether that checkpoint was committed.
    """

    next_offset: int
    metadata: str
    marker: str
    done: frozenset[int]


class Progress:
    """The offsets of one partition from the committed one on: accepted in ascending order, finished in any.

    `accept` gives each offset a slot, a number that stays valid while the progress lives. `ahead` are offsets that
    an earlier owner finished and that have not been fetched again yet; they stay in every commit until they are.
    `changed` says whether there is something to commit; whoever commits clears it.
    """

    __slots__ = ("_accepted", "_ahead", "_done", "_first_slot", "_next_offset", "changed", "unfinished")

    def __init__(self, next_offset: int, ahead: Iterable[int] = ()) -> None:
        self._next_offset = next_offset
        self._ahead = set(ahead)
        self._accepted: list[int] = []
        self._done = bytearray()
        self._first_slot = 0
        self.unfinished = 0
        self.changed = False

    @property
    def has_ahead(self) -> bool:
        """Whether finished offsets of an earlier owner are still to be fetched again."""
        return bool(self._ahead)

    @property
    def next_fetch(self) -> int:
        """The offset after the newest accepted one."""
        return self._accepted[-1] + 1 if self._accepted else self._next_offset

    @property
    def span(self) -> int:
        """Offsets between the first unfinished record and the newest accepted one."""
        self._advance()
        return self._accepted[-1] - self._accepted[0] + 1 if self._accepted else 0

    def accept(self, offsets: list[int]) -> int:
        """Take offsets, ascending and from `next_fetch` on; gives the first one's slot, the rest follow.

        Raises ValueError for an offset that was passed already.
        """
        if offsets[0] < (expected := self.next_fetch):
            raise ValueError(f"offset {offsets[0]} was passed already, expected {expected} or later")
        slot = self._first_slot + len(self._done)
        self._accepted.extend(offsets)
        if self._ahead:
            done = bytes(offset in self._ahead for offset in offsets)
            self._ahead.difference_update(offsets)
            self._done.extend(done)
            self.unfinished += done.count(0)
            self.changed = True
        else:
            self._done.extend(bytes(len(offsets)))
            self.unfinished += len(offsets)
        return slot

    def skip_to(self, offset: int) -> None:
        """Everything before the offset is known to hold no record: the end markers of transactions, for instance.

        Only while nothing accepted is unfinished.
        """
        self._advance()
        if not self._accepted and offset > self._next_offset:
            self._next_offset = offset
            self.changed = True

    def is_done(self, slot: int) -> bool:
        """Whether an accepted offset is finished."""
        return slot < self._first_slot or self._done[slot - self._first_slot] == 1

    def finish(self, slot: int) -> None:
        """An accepted offset is done."""
        self._done[slot - self._first_slot] = 1
        self.unfinished -= 1
        self.changed = True

    def encode(self, marker: str) -> Committed:
        """The offset to commit and the metadata to commit with it."""
        self._advance()
        return self._next_offset, f"{_PREFIX};{marker};{_encode_bits(self._bits())}"

    def _advance(self) -> None:
        """Drop the finished prefix."""
        finished = self._done.find(0)
        if finished < 0:
            finished = len(self._done)
        if finished:
            self._next_offset = self._accepted[finished - 1] + 1
            del self._done[:finished]
            del self._accepted[:finished]
            self._first_slot += finished
        if self._accepted:
            self._next_offset = self._accepted[0]
        if self._ahead:
            self._ahead = {offset for offset in self._ahead if offset >= self._next_offset}

    def _bits(self) -> bytearray:
        """One byte per offset from the next one on: 1 is done."""
        accepted, base = self._accepted, self._next_offset
        contiguous = not accepted or accepted[-1] - base + 1 == len(accepted)
        if contiguous and not self._ahead:
            return self._done
        last = max(accepted[-1] if accepted else base, max(self._ahead, default=base))
        bits = bytearray(last - base + 1)
        for offset, done in zip(accepted, self._done, strict=True):
            bits[offset - base] = done
        for offset in self._ahead:
            bits[offset - base] = 1
        return bits


def decode(next_offset: int, metadata: str | None) -> Position:
    """Read a committed position back. Metadata that is not ours (other tools write some) means: nothing beyond.

    Raises UnknownProgressError for our format in a version or a shape this code does not know.
    """
    if not metadata or not _OURS.match(metadata):
        return Position(next_offset=next_offset, metadata=metadata or "", marker="", done=frozenset())
    prefix, _, rest = metadata.partition(";")
    marker, _, text = rest.partition(";")
    if prefix != _PREFIX:
        raise UnknownProgressError(f"progress of format {prefix!r}; this version reads {_PREFIX!r}")
    try:
        bits = _decode_bits(text)
    except (ValueError, zlib.error, binascii.Error) as exc:
        raise UnknownProgressError(f"damaged progress: {exc}") from exc
    done = frozenset(next_offset + index for index, bit in enumerate(bits) if bit == "1")
    return Position(next_offset=next_offset, metadata=metadata, marker=marker, done=done)


def position_key(topic: str) -> bytes:
    """What the position in a topic's partition is kept under in the task's changelog."""
    return key_of(_POSITION, topic)


def pack(committed: Committed) -> bytes:
    """What is committed, as a changelog record's value."""
    offset, metadata = committed
    return f"{offset} {metadata}".encode()


def unpack(value: bytes) -> Committed:
    """What is committed, from a changelog record's value. Raises UnknownProgressError."""
    offset, _, metadata = value.decode(errors="replace").partition(" ")
    if not offset.isdecimal():
        raise UnknownProgressError("damaged progress in the changelog")
    return int(offset), metadata


def _encode_bits(bits: bytearray) -> str:
    length = bits.rfind(1) + 1
    if not length:
        return ""
    number = int(bits[:length].translate(_TO_ASCII_DIGITS)[::-1], 2)
    raw = number.to_bytes((length + 7) // 8, "little")
    packed = zlib.compress(raw, 1)
    kind, shortest = ("z", packed) if len(packed) < len(raw) else ("r", raw)
    return kind + base64.b85encode(shortest).decode("ascii")


def _decode_bits(text: str) -> str:
    """The bits as text, first offset first."""
    if not text:
        return ""
    kind, raw = text[0], base64.b85decode(text[1:])
    if kind not in "rz":
        raise ValueError(f"unknown kind {kind!r}")
    if kind == "z":
        raw = zlib.decompress(raw)
    return bin(int.from_bytes(raw, "little"))[:1:-1]
