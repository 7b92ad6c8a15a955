"""Bytes to events and back: the only place that parses JSON from a topic."""

from typing import TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

from schemas.errors import EventTooLargeError, InvalidEventError, InvalidJsonError

Model = TypeVar("Model", bound=BaseModel)

_ERRORS_SHOWN = 3


def decode(model: type[Model], value: bytes | None, *, max_bytes: int) -> Model:
    """Read one event from a record's value.

    Raises EventTooLargeError (over `max_bytes`), InvalidJsonError (not UTF-8, not JSON) or InvalidEventError
    (no object, does not fit the model). No message repeats the event's content.
    """
    if not value:
        raise InvalidEventError("the value is empty (a tombstone); an event is one JSON object")
    if len(value) > max_bytes:
        raise EventTooLargeError(f"{len(value)} bytes; MAX_EVENT_BYTES allows {max_bytes}")
    content = _parse(value)
    if not isinstance(content, dict):
        raise InvalidEventError(f"a JSON {_json_type(content)}; an event is one JSON object")
    try:
        return model.model_validate(content)
    except ValidationError as exc:
        raise InvalidEventError(describe(exc)) from None


def encode(model: BaseModel) -> bytes:
    """One JSON object, UTF-8, under its wire names; fields that are None by default stay in."""
    return pydantic_core.to_json(model.model_dump(mode="python", by_alias=True), inf_nan_mode="null")


def dump(model: BaseModel) -> bytes:
    """What `model_dump_json` gives, as bytes and in a third of its time: for what only its own model reads again."""
    return model.__pydantic_serializer__.to_json(model)


def describe(error: ValidationError) -> str:
    """Name each wrong place and the rule it breaks, never the value (it may be personal)."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [
        f"{'.'.join(map(str, p['loc'])) or 'event'}: {p['msg'].removeprefix('Value error, ')}"
        for p in problems[:_ERRORS_SHOWN]
    ]
    if len(problems) > _ERRORS_SHOWN:
        shown.append(f"and {len(problems) - _ERRORS_SHOWN} more")
    return "; ".join(shown)


def _parse(value: bytes) -> object:
    try:
        return pydantic_core.from_json(value, allow_inf_nan=False, cache_strings="keys")
    except ValueError as exc:
        if _looks_like_a_line(value):
            raise InvalidJsonError(
                "this looks like one line of a JSON text over several lines: kafka-console-producer sends one record"
                " per line. Put the object on one line (jq -c .) or use `pathstream produce`"
            ) from None
        raise InvalidJsonError(_not_utf8(value) or f"not JSON: {exc}") from None


def _not_utf8(value: bytes) -> str | None:
    if value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "not plain UTF-8: it begins with a byte order mark"
    try:
        value.decode()
    except UnicodeDecodeError as exc:
        return f"not UTF-8: byte {exc.start}"
    return None


def _looks_like_a_line(value: bytes) -> bool:
    """Whether the value is what a pretty-printed object leaves on one line, such as `{` or `"a": 1,`."""
    line = value.strip()
    if b"\n" in line or not line:
        return False
    if line in (b"{", b"[", b"}", b"]", b"},", b"],"):
        return True
    return line.startswith((b'"', b"}", b"]")) and (line.endswith((b",", b"{", b"[")) or b'":' in line)


def _json_type(content: object) -> str:
    return {list: "array", str: "string", bool: "boolean", int: "number", float: "number"}.get(type(content), "null")
