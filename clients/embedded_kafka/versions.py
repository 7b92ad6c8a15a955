"""The versions of each request that the embedded broker speaks, and aiokafka's classes that lay them out.

Every range overlaps with what aiokafka, librdkafka and Apache's Java clients since 4.0 (KIP-896) can speak,
and ends before the layouts that aiokafka has wrong (ListOffsets from 4, DescribeGroups from 3).
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

import aiokafka.protocol
from aiokafka.protocol.admin import CreateTopicsRequest_v3
from aiokafka.protocol.api import RequestStruct

from clients.embedded_kafka.codes import ApiKey

VERSIONS: Mapping[ApiKey, tuple[int, int]] = {
    ApiKey.PRODUCE: (3, 7),
    ApiKey.FETCH: (4, 11),
    ApiKey.LIST_OFFSETS: (1, 3),
    ApiKey.METADATA: (0, 5),
    ApiKey.OFFSET_COMMIT: (2, 3),
    ApiKey.OFFSET_FETCH: (1, 3),
    ApiKey.FIND_COORDINATOR: (0, 1),
    ApiKey.JOIN_GROUP: (5, 5),
    ApiKey.HEARTBEAT: (0, 1),
    ApiKey.LEAVE_GROUP: (0, 1),
    ApiKey.SYNC_GROUP: (3, 3),
    ApiKey.DESCRIBE_GROUPS: (0, 2),
    ApiKey.LIST_GROUPS: (0, 1),
    ApiKey.API_VERSIONS: (0, 2),
    ApiKey.CREATE_TOPICS: (2, 4),
    ApiKey.DELETE_TOPICS: (1, 3),
    ApiKey.INIT_PRODUCER_ID: (0, 0),
    ApiKey.ADD_PARTITIONS_TO_TXN: (0, 0),
    ApiKey.ADD_OFFSETS_TO_TXN: (0, 0),
    ApiKey.END_TXN: (0, 0),
    ApiKey.TXN_OFFSET_COMMIT: (0, 0),
    ApiKey.DESCRIBE_CONFIGS: (1, 2),
}


class CreateTopicsV4(CreateTopicsRequest_v3):  # type: ignore[misc]
    """The same bytes as version 3; the broker may be left to choose the numbers (KIP-464)."""

    API_VERSION = 4


def _all_layouts(base: type[RequestStruct]) -> Iterator[type[RequestStruct]]:
    for layout in base.__subclasses__():
        yield layout
        yield from _all_layouts(layout)


def _supported_layouts() -> dict[tuple[int, int], type[RequestStruct]]:
    for module in pkgutil.iter_modules(aiokafka.protocol.__path__):
        importlib.import_module(f"aiokafka.protocol.{module.name}")
    return {
        (layout.API_KEY, layout.API_VERSION): layout
        for layout in _all_layouts(RequestStruct)
        if layout.API_KEY in VERSIONS
        and VERSIONS[ApiKey(layout.API_KEY)][0] <= layout.API_VERSION <= VERSIONS[ApiKey(layout.API_KEY)][1]
    }


LAYOUTS = _supported_layouts()
