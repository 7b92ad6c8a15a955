"""The input of `pathstream produce`: JSON objects, one per line, over many lines, one after the other. Pure.

No byte of it is passed over in silence: it belongs to an event, or to a broken part named by its lines.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NESTED = ("eventData", "event_data", "payload", "submission")
_LEARNER_KEYS = ("userId", "user_id", "studentId", "student_id")
_COMPANY_KEYS = ("companyId", "company_id")
_WHITESPACE = " \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEvent:
    """One object of the input: its text as it stands, on one line, and whose it is, if it says so."""

    line: int
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Lines (the first is 1) that are no JSON object, and why."""

    first_line: int
    last_line: int
    reason: str


class EventReader:
    """Takes the input line by line; each object and each broken part comes out with its last line.

    After a broken part reading goes on at the next line that begins with `{` in its first column.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)
        self._line = 0
        self._start = 0
        self._pending: list[str] = []
        self._depth = 0
        self._skipping_from: int | None = None

    def feed(self, raw: bytes) -> list[InputEvent | Broken]:
        """Take the next line."""
        self._line += 1
        at_margin = raw.startswith(b"{")
        found: list[InputEvent | Broken] = []
        if self._skipping_from is not None:
            if not at_margin:
                return []
            found += self._end_skipping(self._line - 1)
        try:
            line = raw.decode("utf-8-sig" if self._line == 1 else "utf-8").strip(_WHITESPACE)
        except UnicodeDecodeError as exc:
            self._begin(self._line)
            return [*found, self._break(f"not UTF-8 at byte {exc.start + 1} of the last line")]
        if at_margin and self._pending and self._needs_something_else():
            found.append(self._break("the object does not end", last=self._line - 1))
            found += self._end_skipping(self._line - 1)
        if line:
            self._begin(self._line)
            found += self._take(line)
        return found

    def close(self) -> list[InputEvent | Broken]:
        """The input ends here."""
        if self._pending:
            return [self._break("the object does not end")]
        return self._end_skipping(self._line)

    def _begin(self, line: int) -> None:
        if not self._pending:
            self._start = line

    def _take(self, line: str) -> list[InputEvent | Broken]:
        if not self._pending and not line.startswith("{"):
            return [self._break("not a JSON object")]
        self._pending.append(line)
        outside = _STRING.sub("", line)
        self._depth += sum(map(outside.count, "{[")) - sum(map(outside.count, "}]"))
        open_string = '"' in outside
        return self._parse() if self._depth <= 0 or open_string else []

    def _parse(self) -> list[InputEvent | Broken]:
        """The brackets are even: everything pending is objects, or broken."""
        text = " ".join(self._pending)
        found: list[InputEvent | Broken] = []
        while text:
            try:
                content, end = self._decoder.raw_decode(text)
            except (ValueError, RecursionError) as exc:
                return [*found, self._break(_reason(exc, one_line=len(self._pending) == 1 and not found))]
            if not isinstance(content, dict):
                return [*found, self._break("not a JSON object")]
            key = _key_of(content, self._topic)
            found.append(InputEvent(line=self._start, key=key, value=text[:end].encode()))
            text = text[end:].lstrip(_WHITESPACE)
        self._pending, self._depth = [], 0
        return found

    def _needs_something_else(self) -> bool:
        """Whether what is pending cannot go on with `{`: its end is missing and the new line is an event."""
        text = " ".join(self._pending) + " "
        try:
            self._decoder.raw_decode(text + "{")
        except json.JSONDecodeError as exc:
            return exc.pos <= len(text)
        except (ValueError, RecursionError):
            return True
        return False

    def _break(self, reason: str, *, last: int | None = None) -> Broken:
        self._pending, self._depth = [], 0
        self._skipping_from = (last or self._line) + 1
        return Broken(first_line=self._start, last_line=last or self._line, reason=reason)

    def _end_skipping(self, last: int) -> list[InputEvent | Broken]:
        first, self._skipping_from = self._skipping_from, None
        if first is None or first > last:
            return []
        return [Broken(first_line=first, last_line=last, reason="passed over, since what is before it is broken")]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _reason(error: Exception, *, one_line: bool) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    return f"{error.msg} at column {error.pos + 1}" if one_line else error.msg


def _key_of(event: dict[str, Any], topic: str) -> bytes | None:
    """The record's key: whose event it is (contracts), at the top or in the event's data."""
    names = _COMPANY_KEYS if topic == "company_updated" else _LEARNER_KEYS
    inner = [event[name] for name in _NESTED if isinstance(event.get(name), dict)]
    for place in (event, *inner):
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value.strip():
                return value.encode(errors="surrogatepass")
            if type(value) is int:
                return str(value).encode()
    return None
