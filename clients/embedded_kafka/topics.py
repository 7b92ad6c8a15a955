"""The topics: names, partitions, configuration."""

import re
from collections.abc import Mapping

from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.log import PartitionLog

NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
DEFAULT_CONFIG = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "segment.ms": "604800000",
}


class Topic:
    """A topic, its configuration and its partitions."""

    def __init__(self, *, partitions: int, config: Mapping[str, str], max_partition_bytes: int) -> None:
        self.own_config = dict(config)
        self.config = DEFAULT_CONFIG | self.own_config
        retention = int(self.config["retention.bytes"])
        self.partitions = [
            PartitionLog(
                max_bytes=max_partition_bytes if retention < 0 else min(retention, max_partition_bytes),
                max_batch_bytes=int(self.config["max.message.bytes"]),
                is_compacted="compact" in self.config["cleanup.policy"],
            )
            for _ in range(partitions)
        ]


class Topics:
    """All topics of the broker."""

    def __init__(self, *, default_partitions: int, auto_create: bool, max_partition_bytes: int) -> None:
        self._topics: dict[str, Topic] = {}
        self._default_partitions = default_partitions
        self._auto_create = auto_create
        self._max_partition_bytes = max_partition_bytes

    def names(self) -> list[str]:
        """All topics there are."""
        return list(self._topics)

    def get(self, name: str) -> Topic:
        """The topic of that name; raises RefusedError."""
        topic = self._topics.get(name)
        if topic is None:
            raise RefusedError(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return topic

    def get_or_create(self, name: str) -> Topic:
        """The topic of that name, created when the broker does that; raises RefusedError."""
        if name not in self._topics and self._auto_create:
            self.create(name)
        return self.get(name)

    def partition(self, name: str, number: int) -> PartitionLog:
        """One partition's log; raises RefusedError."""
        partitions = self.get(name).partitions
        if not 0 <= number < len(partitions):
            raise RefusedError(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return partitions[number]

    def create(
        self,
        name: str,
        *,
        partitions: int | None = None,
        config: Mapping[str, str] | None = None,
        validate_only: bool = False,
    ) -> None:
        """Create a topic, or only check that it could be; raises RefusedError."""
        if name in {".", ".."} or not NAME.fullmatch(name):
            raise RefusedError(Code.INVALID_TOPIC)
        if name in self._topics:
            raise RefusedError(Code.TOPIC_ALREADY_EXISTS)
        if partitions is None:
            partitions = self._default_partitions
        if partitions < 1:
            raise RefusedError(Code.INVALID_PARTITIONS)
        try:
            topic = Topic(partitions=partitions, config=config or {}, max_partition_bytes=self._max_partition_bytes)
        except ValueError:
            raise RefusedError(Code.INVALID_CONFIG) from None
        if not validate_only:
            self._topics[name] = topic

    def delete(self, name: str) -> None:
        """Delete a topic with its records; raises RefusedError."""
        topic = self.get(name)
        del self._topics[name]
        for log in topic.partitions:
            log.wake_readers()
