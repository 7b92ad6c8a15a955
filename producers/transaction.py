"""One Kafka transaction from begin to end: records and offsets, all of them or none.

The transaction opens when all results are there and ends milliseconds later, so that readers with `read_committed`
never wait for a model. A producer is fenced by whoever starts with the same transactional id after it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)

from clients.cluster import Cluster, may_pass
from producers.output import Batch
from producers.verdict import Verdict, verdict_on
from schemas.errors import FencedError, RecordRefusedError, TopicMissingError, TransactionFailedError

Value = TypeVar("Value")

_ALL_REPLICAS = -1
_COMMIT = True
_SEQUENCE_LIMIT = 2**31
_BACKOFF_SECONDS = 0.02
_LONGEST_BACKOFF_SECONDS = 0.5
_START_SECONDS = 30.0


class TransactionalProducer:
    """The producer of one task. `start` fences every earlier one with the same id; `commit` is one transaction.

    Not for concurrent use. After any error it has to be started again before the next commit: that ends what the
    failed transaction left open.
    """

    def __init__(self, cluster: Cluster, transactional_id: str, *, timeout_seconds: float) -> None:
        self._cluster = cluster
        self._id = transactional_id
        self._timeout = timeout_seconds
        self._producer_id = -1
        self._epoch = -1
        self._sequences: dict[TopicPartition, int] = {}

    @property
    def incarnation(self) -> str:
        """Producer id and epoch: unlike those of every other start of any producer."""
        return f"{self._producer_id:x}.{self._epoch:x}"

    async def start(self, *, within_seconds: float = _START_SECONDS) -> None:
        """Fence the id's earlier producers and end what they left open. Raises TransactionFailedError."""
        request = InitProducerIdRequest(self._id, int(self._timeout * 1000))
        async with self._deadline(within_seconds):
            response = await self._ask_coordinator(
                CoordinationType.TRANSACTION, self._id, request, lambda answer: [answer.error_code]
            )
        self._producer_id, self._epoch = response.producer_id, response.producer_epoch
        self._sequences.clear()

    async def commit(
        self, batches: Iterable[Batch], offsets: Mapping[TopicPartition, tuple[int, str]], group_id: str
    ) -> dict[TopicPartition, int]:
        """Send the batches and commit the offsets (with their metadata) in one transaction.

        Gives the offset after the last record of each partition, where the broker told it.

        1. register the partitions that records go to;
        2. send the records and wait for every one of them;
        3. register the group and hand in its offsets;
        4. end the transaction with commit.

        Raises FencedError when the id has another producer by now, TransactionFailedError when the outcome is
        unknown. Both mean: start again and look at the committed offsets.
        """
        rounds, ends = _rounds(batches), dict[TopicPartition, int]()
        async with self._deadline(self._timeout):
            if rounds:
                await self._add_partitions(rounds[0])
            for batch_of in rounds:
                ends |= await self._produce(batch_of)
            await self._add_offsets(offsets, group_id)
            request = EndTxnRequest(self._id, self._producer_id, self._epoch, _COMMIT)
            await self._ask_coordinator(
                CoordinationType.TRANSACTION, self._id, request, lambda answer: [answer.error_code]
            )
        return ends

    @asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as exc:
            raise TransactionFailedError(f"{self._id}: no answer from Kafka within {seconds:g} s") from exc

    async def _add_partitions(self, partitions: Iterable[TopicPartition]) -> None:
        topics: dict[str, list[int]] = defaultdict(list)
        for partition in partitions:
            topics[partition.topic].append(partition.partition)
        request = AddPartitionsToTxnRequest(self._id, self._producer_id, self._epoch, list(topics.items()))
        what = ", ".join(sorted(topics))
        await self._ask_coordinator(CoordinationType.TRANSACTION, self._id, request, _partition_codes, what)

    async def _add_offsets(self, offsets: Mapping[TopicPartition, tuple[int, str]], group_id: str) -> None:
        add = AddOffsetsToTxnRequest(self._id, self._producer_id, self._epoch, group_id)
        await self._ask_coordinator(CoordinationType.TRANSACTION, self._id, add, lambda answer: [answer.error_code])
        topics: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for partition, (next_offset, metadata) in offsets.items():
            topics[partition.topic].append((partition.partition, next_offset, metadata))
        commit = TxnOffsetCommitRequest(self._id, group_id, self._producer_id, self._epoch, list(topics.items()))
        await self._ask_coordinator(CoordinationType.GROUP, group_id, commit, _partition_codes)

    async def _ask_coordinator(
        self, kind: CoordinationType, key: str, request: Any, codes: Callable[[Any], Iterable[int]], what: str = ""
    ) -> Any:
        """Ask until there is an answer that is not 'later' or 'elsewhere'; every request may be repeated."""
        pause = _BACKOFF_SECONDS
        while True:
            try:
                node = await self._cluster.coordinator(kind, key)
                answer = await self._cluster.send(node, request, coordination=True)
            except KafkaError as exc:
                if not may_pass(exc):
                    raise TransactionFailedError(f"{self._id}: {exc!r}") from exc
                verdict = Verdict.MOVED
                pause = min(2 * pause, _LONGEST_BACKOFF_SECONDS)
            else:
                verdict = self._judge(codes(answer), what or key)
                if verdict is Verdict.OK:
                    return answer
            if verdict is Verdict.MOVED:
                self._cluster.forget_coordinator(kind, key)
            await asyncio.sleep(pause)

    async def _produce(self, batches: Mapping[TopicPartition, Batch]) -> dict[TopicPartition, int]:
        """Send one batch per partition, to all leaders at once, until every one is written; gives their ends."""
        ends: dict[TopicPartition, int] = {}
        pause = _BACKOFF_SECONDS
        waiting = {partition: self._seal(partition, batch) for partition, batch in batches.items()}
        while waiting:
            by_leader: dict[int, dict[TopicPartition, bytes]] = defaultdict(dict)
            for partition, data in waiting.items():
                by_leader[await self._cluster.leader(partition)][partition] = data
            sends = [self._send_to_leader(node, part) for node, part in by_leader.items()]
            written = await (sends[0] if len(sends) == 1 else _together(sends))
            for partition, offset in written:
                del waiting[partition]
                if offset >= 0:  # a broker that had the batch already may not know its offset any more
                    ends[partition] = offset + batches[partition].records
            if waiting:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_BACKOFF_SECONDS)
                await self._cluster.refresh()
        return ends

    def _seal(self, partition: TopicPartition, batch: Batch) -> bytes:
        sequence = self._sequences.get(partition, 0)
        self._sequences[partition] = (sequence + batch.records) % _SEQUENCE_LIMIT
        batch.builder.set_producer_state(self._producer_id, self._epoch, sequence)
        return bytes(batch.builder.build())

    async def _send_to_leader(
        self, node: int, batches: Mapping[TopicPartition, bytes]
    ) -> list[tuple[TopicPartition, int]]:
        """The partitions whose batch is written, with its offset; the others are to be sent again."""
        topics: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for partition, data in batches.items():
            topics[partition.topic].append((partition.partition, data))
        request = ProduceRequest(self._id, _ALL_REPLICAS, int(self._timeout * 1000), list(topics.items()))
        try:
            answer = await self._cluster.send(node, request)
        except KafkaError as exc:
            if not may_pass(exc):
                raise TransactionFailedError(f"{self._id}: {exc!r}") from exc
            return []
        return [
            (TopicPartition(topic, entry[0]), entry[2])
            for topic, entries in answer.topics
            for entry in entries
            if self._judge([entry[1]], topic) is Verdict.OK
        ]

    def _judge(self, codes: Iterable[int], what: str) -> Verdict:
        """OK, RETRY or MOVED; raises for the rest."""
        verdicts = {verdict_on(code): code for code in codes}
        for verdict, error in (
            (Verdict.FENCED, FencedError),
            (Verdict.REFUSED, RecordRefusedError),
            (Verdict.MISSING, TopicMissingError),
            (Verdict.FAILED, TransactionFailedError),
        ):
            if verdict in verdicts:
                raise error(f"{self._id}: {for_code(verdicts[verdict]).__name__}: {what}")
        return next((v for v in (Verdict.MOVED, Verdict.RETRY) if v in verdicts), Verdict.OK)


def _rounds(batches: Iterable[Batch]) -> list[dict[TopicPartition, Batch]]:
    """One batch per partition and round: a produce request takes no more."""
    rounds: list[dict[TopicPartition, Batch]] = []
    seen: dict[TopicPartition, int] = defaultdict(int)
    for batch in batches:
        partition = TopicPartition(batch.topic, batch.partition)
        if seen[partition] == len(rounds):
            rounds.append({})
        rounds[seen[partition]][partition] = batch
        seen[partition] += 1
    return rounds


def _partition_codes(answer: Any) -> list[int]:
    return [code for _, partitions in answer.errors for _, code in partitions]


async def _together(sends: Iterable[Coroutine[Any, Any, list[Value]]]) -> list[Value]:
    """Await all; the first error, if any, as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send) for send in sends]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [value for task in tasks for value in task.result()]
