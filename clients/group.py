"""The group behind a consumer: its positions with their metadata, and who is in it. Not in aiokafka's interface."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoError, NotCoordinatorForGroupError, RebalanceInProgressError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata

FENCED_INSTANCE_ID = 82
"""Kafka's error code, which aiokafka does not know by name."""

_A_MEMBERS = (NoError, RebalanceInProgressError)
"""What a member is answered."""
_RETRY_SECONDS = 0.1
_NO_GENERATION = -1
"""Refused by every group, after it has looked at the member: a question in this generation changes nothing."""


def request_rejoin(consumer: AIOKafkaConsumer) -> None:
    """Make the consumer leave its assignment and join its group anew."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


async def committed_positions(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """The group's committed offsets with their metadata, which `consumer.committed()` would drop.

    Asks until the group answers; raises KafkaError when it refuses. aiokafka's own `fetch_committed_offsets` does not
    look at the error of an answer as a whole, which then names no partition: while a coordinator loads or moves, it
    says that nothing is committed, and everything would be handled again.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    topics: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        topics[topic].append(partition)
    request = OffsetFetchRequest(coordinator.group_id, list(topics.items()))
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            response = await coordinator._send_req(request)  # noqa: SLF001
            return _positions_in(response)
        except KafkaError as exc:
            if not exc.retriable:
                raise
            if isinstance(exc, NotCoordinatorForGroupError):
                coordinator.coordinator_dead()
            await asyncio.sleep(_RETRY_SECONDS)


def _positions_in(response: Any) -> dict[TopicPartition, OffsetAndMetadata]:
    """What an answer to an OffsetFetch holds; raises the KafkaError that it, or one of its partitions, comes with."""
    answers = [(topic, *answer) for topic, partitions in response.topics for answer in partitions]
    for code in (response.error_code, *(answer[-1] for answer in answers)):
        if code:
            raise for_code(code)
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(offset, metadata)
        for topic, partition, offset, metadata, _ in answers
        if offset >= 0
    }


def member_id(consumer: AIOKafkaConsumer) -> str:
    """The name the group gave the consumer; empty while it is no member, or no longer one."""
    return str(consumer._coordinator.member_id)  # noqa: SLF001


def generation(consumer: AIOKafkaConsumer) -> int:
    """The group's generation that the consumer is in."""
    return int(consumer._coordinator.generation)  # noqa: SLF001


async def confirm_membership(consumer: AIOKafkaConsumer) -> None:
    """Ask the group whether the consumer is still in it; raises KafkaError if not. Waits until the group is found.

    It counts as a heartbeat. If the answer is no, aiokafka's own next heartbeat has the consumer join again.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    await coordinator.ensure_coordinator_known()
    request = HeartbeatRequest(coordinator.group_id, coordinator.generation, coordinator.member_id)
    response = await coordinator._send_req(request)  # noqa: SLF001
    error = for_code(response.error_code)
    if error is NotCoordinatorForGroupError:
        coordinator.coordinator_dead()
    if error not in _A_MEMBERS:
        raise error(coordinator.group_id)


def watch_membership(consumer: AIOKafkaConsumer, confirmed: Callable[[float], None]) -> None:
    """Call `confirmed` whenever the group says that the consumer is in it, with the event loop's time of the question.

    It says so when it answers a heartbeat, or the SyncGroup that ends a join. To be called before the consumer joins.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    send, clock = coordinator._send_req, asyncio.get_running_loop().time  # noqa: SLF001

    async def watched(request: Any) -> Any:
        asked_at = clock()
        response = await send(request)
        if isinstance(request, HeartbeatRequest | SyncGroupRequest) and for_code(response.error_code) in _A_MEMBERS:
            confirmed(asked_at)
        return response

    coordinator._send_req = watched  # noqa: SLF001


async def is_replaced(consumer: AIOKafkaConsumer, former_id: str) -> bool:
    """Whether another process has taken the `group_instance_id` of a consumer that was `former_id`.

    aiokafka's heartbeats carry no instance id (version 1), so the group calls a member that was replaced unknown, as
    one that timed out. A SyncGroup under the old name has one, and tells them apart; it changes nothing. False also
    when the group does not answer.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    if (instance_id := coordinator._group_instance_id) is None:  # noqa: SLF001
        return False
    request = SyncGroupRequest(coordinator.group_id, _NO_GENERATION, former_id, instance_id, [])
    try:
        response = await coordinator._send_req(request)  # noqa: SLF001
    except KafkaError:
        return False
    return bool(response.error_code == FENCED_INSTANCE_ID)
