"""Kafka's bytes on a connection: frames, headers, and fields by name in the layout of each version.

The layouts are aiokafka's: the names they use are those that the handlers find and fill in.
"""

import asyncio
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.types import Array, Schema

from clients.embedded_kafka.codes import ApiKey, Code
from clients.embedded_kafka.versions import LAYOUTS, VERSIONS

Fields = dict[str, Any]

MAX_FRAME_BYTES = 100 * 2**20
LENGTH = struct.Struct(">i")
REQUEST_HEADER = struct.Struct(">hhih")  # api key, version, correlation id, length of the client's id

# What a layout asks for and a broker of one node without limits answers the same everywhere.
DEFAULTS: Fields = {
    "throttle_time_ms": 0,
    "error_code": Code.NONE,
    "error_message": None,
    "leader_epoch": -1,
    "preferred_read_replica": -1,
    "session_id": 0,
    "is_internal": False,
    "offline_replicas": [],
    "rack": None,
}


class MalformedRequestError(Exception):
    """The client sent what is no request that this broker knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, with its fields by name."""

    api_key: ApiKey
    version: int
    correlation_id: int
    client_id: str
    client_host: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownVersion:
    """A client asked for the versions in a way that came after us; the answer tells it what there is."""

    correlation_id: int


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read one request's bytes; raises asyncio.IncompleteReadError at the end, or MalformedRequestError."""
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if not REQUEST_HEADER.size <= length <= MAX_FRAME_BYTES:
        raise MalformedRequestError(f"a frame of {length} bytes")
    return await reader.readexactly(length)


def decode_request(frame: bytes, client_host: str) -> Request | UnknownVersion:
    """Read a request; raises MalformedRequestError."""
    api_key, version, correlation_id, id_length = REQUEST_HEADER.unpack_from(frame)
    layout = LAYOUTS.get((api_key, version))
    if layout is None:
        if api_key == ApiKey.API_VERSIONS:
            return UnknownVersion(correlation_id=correlation_id)
        raise MalformedRequestError(f"request {api_key} in version {version}")
    body = BytesIO(frame)
    body.seek(REQUEST_HEADER.size)
    try:
        client_id = body.read(max(id_length, 0)).decode()
        values = [field.decode(body) for field in layout.SCHEMA.fields]
    except (ValueError, TypeError, struct.error) as exc:
        raise MalformedRequestError(f"what is no {layout.__name__}") from exc
    return Request(
        api_key=ApiKey(api_key),
        version=version,
        correlation_id=correlation_id,
        client_id=client_id,
        client_host=client_host,
        fields=named(layout.SCHEMA, values),
    )


def encode_response(request: Request, fields: Fields) -> bytes:
    """Write the response to a request."""
    layout: type[RequestStruct] = LAYOUTS[request.api_key, request.version]
    schema = layout.RESPONSE_TYPE.SCHEMA
    return _frame(request.correlation_id, schema.encode(positional(schema, fields)))


def encode_versions(unknown: UnknownVersion) -> bytes:
    """Write the answer of version 0 that every client understands, whatever it asked in (KIP-511)."""
    schema = LAYOUTS[ApiKey.API_VERSIONS, 0].RESPONSE_TYPE.SCHEMA
    answer = {"error_code": Code.UNSUPPORTED_VERSION, "api_versions": list(supported_versions())}
    return _frame(unknown.correlation_id, schema.encode(positional(schema, answer)))


def supported_versions() -> Iterator[Fields]:
    """Yield what this broker can do, for the response to ApiVersions."""
    for api_key, (lowest, highest) in VERSIONS.items():
        yield {"api_key": api_key, "min_version": lowest, "max_version": highest}


def named(layout: Any, value: Any) -> Any:
    """Turn decoded tuples into dictionaries by the layout's field names."""
    if isinstance(layout, Schema):
        return {name: named(field, each) for name, field, each in zip(layout.names, layout.fields, value, strict=True)}
    if isinstance(layout, Array) and value is not None and isinstance(layout.array_of, Schema | Array):
        return [named(layout.array_of, each) for each in value]
    return value


def positional(layout: Any, value: Any) -> Any:
    """Turn dictionaries into the tuples of the layout; names it does not ask for are left out."""
    if isinstance(layout, Schema):
        fields: Mapping[str, Any] = value
        return tuple(
            positional(field, fields[name] if name in fields else DEFAULTS[name])
            for name, field in zip(layout.names, layout.fields, strict=True)
        )
    if isinstance(layout, Array) and value is not None and isinstance(layout.array_of, Schema | Array):
        return [positional(layout.array_of, each) for each in value]
    return value


def _frame(correlation_id: int, body: bytes) -> bytes:
    return LENGTH.pack(LENGTH.size + len(body)) + LENGTH.pack(correlation_id) + body
