"""Kafka as the judge sees it: through librdkafka alone, `read_committed`."""

import json
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.chaos import job

_SEVEN_DAYS_MS = 7 * 24 * 3600 * 1000
_ASK_SECONDS = 5.0
_READ_SECONDS = 120.0
TOPICS: dict[str, dict[str, str]] = {
    job.INPUT: {},
    job.RESULTS: {},
    job.PROGRESS: {},
    job.DEAD_LETTERS: {},
    job.REPARTITION: {},
    job.STATE: {"cleanup.policy": "compact"},
    job.SEEN: {"cleanup.policy": "compact,delete", "retention.ms": str(_SEVEN_DAYS_MS)},
}
"""The topics of the job, configured as `pathstream topics create` does it."""

_READER: dict[str, Any] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "log_level": 0,
}


class Group:
    """What the broker says of the workers' group, asked directly and not through a worker's link."""

    def __init__(self, servers: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        self._offsets = Consumer(_READER | {"bootstrap.servers": servers, "group.id": job.GROUP})

    def create_topics(self) -> None:
        """Make all topics; raises KafkaException."""
        new = [NewTopic(name, job.PARTITIONS, 1, config=config) for name, config in TOPICS.items()]
        for created in self._admin.create_topics(new).values():
            created.result()

    def members(self) -> list[str] | None:
        """The client ids of the members, sorted; None while the group is not stable or the broker does not answer.

        By librdkafka's first way to ask, deprecated as it is: the newer `describe_consumer_groups` aborts the whole
        process when the broker goes away meanwhile (librdkafka #4605).
        """
        try:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                [group] = self._admin.list_groups(job.GROUP, timeout=_ASK_SECONDS)
        except (KafkaException, ValueError):
            return None
        return sorted(member.client_id for member in group.members) if group.state in ("Stable", "Empty") else None

    def lag(self) -> int | None:
        """Offsets between what is committed and the ends of what the group reads; None when that cannot be told."""
        places = [TopicPartition(topic, p) for topic in (job.INPUT, job.REPARTITION) for p in range(job.PARTITIONS)]
        try:
            committed = self._offsets.committed(places, timeout=_ASK_SECONDS)
            ends = [self._offsets.get_watermark_offsets(place, timeout=_ASK_SECONDS)[1] for place in places]
        except KafkaException:
            return None
        return int(sum(end - max(at.offset, 0) for end, at in zip(ends, committed, strict=True)))


class Follower:
    """Counts the results while they come, in a thread of its own; notes the longest pause between two."""

    def __init__(self, servers: str) -> None:
        self.count = 0
        self.longest_pause = 0.0
        self._newest_at = 0.0
        self._stop = threading.Event()
        self._consumer = _consumer(servers)
        self._consumer.assign([TopicPartition(job.RESULTS, p, 0) for p in range(job.PARTITIONS)])
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._thread.start()

    @property
    def quiet_seconds(self) -> float:
        """For how long nothing has come."""
        return time.monotonic() - self._newest_at if self._newest_at else 0.0

    def close(self) -> None:
        """Stop counting."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        while not self._stop.is_set():
            found = [message for message in self._consumer.consume(1000, 0.1) if message.error() is None]
            if found:
                now = time.monotonic()
                if self._newest_at:
                    self.longest_pause = max(self.longest_pause, now - self._newest_at)
                self._newest_at = now
                self.count += len(found)


def read_all(servers: str, topic: str) -> list[Any]:
    """All committed records of a topic to its end, those of a partition in order. Raises TimeoutError."""
    consumer, messages, at_end = _consumer(servers), list[Any](), set[int]()
    deadline = time.monotonic() + _READ_SECONDS
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(job.PARTITIONS)])
        while len(at_end) < job.PARTITIONS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic} cannot be read to its end")
            for message in consumer.consume(1000, 0.05):
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    at_end.add(message.partition())
    finally:
        consumer.close()
    return sorted(messages, key=lambda message: (message.partition(), message.offset()))


def read_json(servers: str, topic: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The values of a topic's records, each with its partition."""
    for message in read_all(servers, topic):
        yield message.partition(), json.loads(message.value())


def _consumer(servers: str) -> Any:
    return Consumer(_READER | {"bootstrap.servers": servers, "group.id": f"judge-{uuid.uuid4().hex[:8]}"})
