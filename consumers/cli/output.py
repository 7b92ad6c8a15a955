"""Where commands print, and how a record's bytes become something a person may safely see in a terminal."""

import base64
import json
import sys
import unicodedata
from typing import Any, TextIO

import pydantic_core
from aiokafka import ConsumerRecord
from rich.console import Console

_PIPE_WIDTH = 240
_INTEGER_HEADERS = {
    "kafka_dlt-original-partition": 4,
    "kafka_dlt-original-offset": 8,
    "kafka_dlt-original-timestamp": 8,
}
"""Spring Kafka writes these as big-endian integers of so many bytes."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read our output has gone: the command's end, as for `print`."""
        raise BrokenPipeError


def _console(stream: TextIO, *, stderr: bool) -> Console:
    """Without markup, since keys and values may hold brackets; wide when nobody's window limits the line."""
    width = None if stream.isatty() else _PIPE_WIDTH
    return _Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False, soft_wrap=True)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


def header_value(name: str, value: bytes) -> str | int:
    """A header to be read: Spring's integers decoded, text as text, other bytes in hex."""
    if _INTEGER_HEADERS.get(name) == len(value):
        return int.from_bytes(value, "big", signed=True)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def headers_of(record: ConsumerRecord) -> dict[str, Any]:
    """A record's headers by name; a name that is there more than once has a list."""
    found: dict[str, Any] = {}
    for name, raw in record.headers:
        value = None if raw is None else header_value(name, raw)
        if name in found:
            earlier = found[name]
            found[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            found[name] = value
    return found


def key_of(record: ConsumerRecord) -> str | None:
    """A record's key as text."""
    return None if record.key is None else record.key.decode(errors="backslashreplace")


def as_json(record: ConsumerRecord) -> str:
    """A record as one line of JSON; a value that is not JSON is a string, one not UTF-8 `value_base64`."""
    line: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": key_of(record),
        "headers": headers_of(record),
        "value": None,
    }
    if record.value is not None:
        try:
            line["value"] = _parsed(record.value)
        except UnicodeDecodeError:
            line["value_base64"] = base64.b64encode(record.value).decode()
    return json.dumps(line, ensure_ascii=False)


def pretty_value(value: bytes | None) -> str:
    """A value on as many lines as it is best read on."""
    if value is None:
        return "(no value)"
    try:
        content = _parsed(value)
    except UnicodeDecodeError:
        return printable(value.decode(errors="backslashreplace"))
    if isinstance(content, str):
        return printable(content)
    return printable(json.dumps(content, ensure_ascii=False, indent=2))


def printable(text: str) -> str:
    """The text without anything that would steer a terminal: control characters are shown escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") else ascii(char)[1:-1]
        for char in text
    )


def _parsed(value: bytes) -> Any:
    """JSON as its content, anything else as its text. Raises UnicodeDecodeError."""
    text = value.decode()
    try:
        return pydantic_core.from_json(value, allow_inf_nan=False)
    except ValueError:
        return text
