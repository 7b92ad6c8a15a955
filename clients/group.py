"""The group behind a consumer: its positions with their metadata, and who is in it. Not in aiokafka's interface."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    NoError,
    NotCoordinatorForGroupError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata

FENCED_INSTANCE_ID = 82
"""Kafka's error code, which aiokafka does not know by name."""

_A_MEMBERS = (NoError, RebalanceInProgressError)
_A_STRANGERS = (UnknownMemberIdError, IllegalGenerationError)
"""How heartbeats are answered."""
_RETRY_SECONDS = 0.1
_NO_GENERATION = -1
"""Refused by every group, after it has looked at the member: a question in this generation changes nothing."""


def request_rejoin(consumer: AIOKafkaConsumer) -> None:
    """Make the consumer leave its assignment and join its group anew."""
    consumer._coordinator.request_rejoin()  # noqa: SLF001


def stay_out(consumer: AIOKafkaConsumer) -> None:
    """Keep the consumer, which is about to stop, from joining its group once more and leaving it right afterwards.

    Not one with an instance id: it does not leave, and a group that waits for it to join would wait for its session's
    end.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    if coordinator is not None and coordinator._group_instance_id is None:  # noqa: SLF001
        coordinator._max_poll_interval = 0  # noqa: SLF001 - aiokafka lets nobody join who has not polled for so long


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


async def confirm_membership(consumer: AIOKafkaConsumer, member: str, generation: int) -> None:
    """Ask the group whether the consumer is that member, for a whole session from now; raises KafkaError if not.

    Asks until there is an answer. A coordinator that is loading says yes to every heartbeat, whoever asks
    (`GroupCoordinatorService.heartbeat`); what is asked next it refuses while it loads.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            await _expect(coordinator, HeartbeatRequest(coordinator.group_id, generation, member), _A_MEMBERS)
            await _expect(coordinator, _probe(consumer, member), (IllegalGenerationError,))
        except KafkaError as exc:
            if not exc.retriable and not isinstance(exc, RebalanceInProgressError):  # so says one that loads
                raise
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


async def _expect(coordinator: Any, question: Any, answers: Container[type[KafkaError]]) -> None:
    """Raises the answer if it is none of these."""
    response = await coordinator._send_req(question)  # noqa: SLF001
    error = for_code(response.error_code)
    if error is NotCoordinatorForGroupError:
        coordinator.coordinator_dead()
    if error not in answers:
        raise error(coordinator.group_id)


def watch_membership(
    consumer: AIOKafkaConsumer, *, confirmed: Callable[[float], None], refused: Callable[[float], None]
) -> None:
    """Call one of these whenever the group says whether the consumer is in it, with the time of the question.

    The time is `time.monotonic`'s. The group says so when it answers a heartbeat, or the SyncGroup that ends a join. To
    be called between the consumer's start, before which it has no coordinator, and its first join.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    send = coordinator._send_req  # noqa: SLF001

    async def watched(request: Any) -> Any:
        asked_at = time.monotonic()
        response = await send(request)
        if isinstance(request, HeartbeatRequest):
            error = for_code(response.error_code)
            if error in _A_MEMBERS:
                confirmed(asked_at)
            elif error in _A_STRANGERS:
                refused(asked_at)
        elif isinstance(request, SyncGroupRequest) and response.error_code == NoError.errno:
            confirmed(asked_at)
        return response

    coordinator._send_req = watched  # noqa: SLF001


def _probe(consumer: AIOKafkaConsumer, member: str) -> SyncGroupRequest:
    """A SyncGroup that changes nothing: of a member a loaded group says that the generation is not the current one."""
    coordinator = consumer._coordinator  # noqa: SLF001
    return SyncGroupRequest(coordinator.group_id, _NO_GENERATION, member, coordinator._group_instance_id, [])  # noqa: SLF001


async def is_replaced(consumer: AIOKafkaConsumer, former_id: str) -> bool:
    """Whether another process has taken the `group_instance_id` of a consumer that was `former_id`.

    aiokafka's heartbeats carry no instance id (version 1), so the group calls a member that was replaced unknown, as
    one that timed out. A SyncGroup under the old name has one, and tells them apart; it changes nothing. False also
    when the group does not answer.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    if coordinator._group_instance_id is None:  # noqa: SLF001
        return False
    try:
        response = await coordinator._send_req(_probe(consumer, former_id))  # noqa: SLF001
    except KafkaError:
        return False
    return bool(response.error_code == FENCED_INSTANCE_ID)
