"""Dead letters back to their topic, each one once, whatever happens in between.

Which ones went back is written like a task's progress (`engine/offsets.py`): the committed offset is the
first that did not, the commit's metadata names those beyond. The transaction that sends records commits both.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from clients.cluster import Cluster
from clients.group import committed_positions
from clients.kafka import Connection
from consumers.cli.output import console, errors, printable
from consumers.cli.read_all import reader, to_the_end
from consumers.cli.shell import CommandError
from consumers.engine.offsets import Progress, decode
from producers.dead_letter import EXCEPTION_PREFIX, OWN_PREFIX, SUFFIX
from producers.output import Output

_TRANSACTION_RECORDS = 500
_TRANSACTION_BYTES = 16 * 2**20
_METADATA_MAX_CHARS = 4_000
_LARGEST_REQUEST = 64 * 2**20
_DROPPED_PREFIXES = (EXCEPTION_PREFIX, OWN_PREFIX)
"""Headers that tell of the failure; `kafka_dlt-original-*` and the upstream's own headers go along."""
_TRUNCATED = "pathstream-value-truncated"


class Selection(NamedTuple):
    """One dead letter."""

    partition: int
    offset: int


class _Letter(NamedTuple):
    place: TopicPartition
    slot: int
    output: Output


async def replay_dead_letters(connection: Connection, topic: str, selection: Selection | None, *, dry_run: bool) -> int:
    """Replay one dead letter, or all that did not go back yet. Gives the exit code; raises CommandError."""
    group = f"{topic}-replay"
    async with _opened(connection, topic, group, dry_run=dry_run) as (consumer, producer, cluster):
        replay = _Replay(consumer, producer, cluster, group)
        try:
            await replay.run(selection)
        except ProducerFenced as exc:
            raise CommandError(f"another replay of {topic} has taken over; nothing went back twice") from exc
    what = "would go back" if dry_run else "sent back"
    left = f", {replay.refused} could not be" if replay.refused else ""
    console.print(f"{replay.sent} of {topic} {what}{left}; {replay.earlier} went back earlier")
    if selection and not replay.selected:
        raise CommandError(f"{topic} has no record {selection.partition}@{selection.offset} that did not go back")
    return os.EX_DATAERR if replay.refused else os.EX_OK


@asynccontextmanager
async def _opened(
    connection: Connection, topic: str, group: str, *, dry_run: bool
) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer | None, Cluster]]:
    """Reader, writer (none for a dry run) and cluster.

    The producer starts first: that fences another replay of this topic and ends what it left open, so the
    committed positions read afterwards are final.
    """
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(connection))
        producer = None
        if not dry_run:
            producer = connection.producer(transactional_id=group, max_request_size=_LARGEST_REQUEST)
            stack.push_async_callback(producer.stop)
            await producer.start()
        consumer = await stack.enter_async_context(reader(connection, [topic], group_id=group))
        yield consumer, producer, cluster


class _Replay:
    """One run over a dead-letter topic."""

    def __init__(
        self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer | None, cluster: Cluster, group: str
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._cluster = cluster
        self._group = group
        self._progress: dict[TopicPartition, Progress] = {}
        self._destinations: dict[str, str | None] = {}
        self._letters: list[_Letter] = []
        self._bytes = 0
        self.sent = 0
        self.refused = 0
        self.earlier = 0
        self.selected = False

    async def run(self, selection: Selection | None) -> None:
        """From where the last replay ended to the end. Raises ProducerFenced when another one started."""
        await self._restore()
        async for record in to_the_end(self._consumer):
            if await self._take(record, selected=selection in (None, (record.partition, record.offset))):
                await self._flush()
        await self._flush()

    async def _restore(self) -> None:
        """Go to where the last replay ended, knowing what it sent beyond."""
        partitions = self._consumer.assignment()
        committed = await committed_positions(self._consumer, partitions)
        begins, ends = (
            await self._consumer.beginning_offsets(partitions),
            await self._consumer.end_offsets(partitions),
        )
        for tp in partitions:
            position = committed.get(tp)
            if position is None or position.offset < 0:
                self._progress[tp] = Progress(begins[tp])
            elif position.offset > ends[tp]:
                raise CommandError(
                    f"group {self._group} stands behind the end of {tp.topic}-{tp.partition}: was the topic"
                    f" made anew? Delete the group with kafka-consumer-groups --delete --group {self._group}"
                )
            else:
                done = decode(position.offset, position.metadata).done
                self._progress[tp] = Progress(max(position.offset, begins[tp]), done)
                self.earlier += max(0, position.offset - begins[tp])
            self._consumer.seek(tp, self._progress[tp].next_fetch or 0)

    async def _take(self, record: ConsumerRecord, *, selected: bool) -> bool:
        """Note a dead letter to be sent, unless it went back already; whether it is time to flush."""
        place = TopicPartition(record.topic, record.partition)
        progress = self._progress[place]
        slot = progress.accept([record.offset])
        if progress.is_done(slot):
            self.earlier += 1
        elif selected:
            self.selected = True
            output = _as_it_was(record)
            if problem := await self._problem(record, output):
                self.refused += 1
                errors.print(f"{record.partition}@{record.offset}: not sent: {problem}")
            else:
                self._letters.append(_Letter(place, slot, output))
                self._bytes += len(output.value or b"")
        return len(self._letters) >= _TRANSACTION_RECORDS or self._bytes >= _TRANSACTION_BYTES

    async def _flush(self) -> None:
        """Send what was noted and commit what that means, in one transaction.

        1. begin, send every record;
        2. wait for every one of them: a commit alone would succeed without those that failed;
        3. hand in the offsets and the progress;
        4. commit.
        """
        letters, self._letters, self._bytes = self._letters, [], 0
        self.sent += len(letters)
        if self._producer is None:
            for letter in letters:
                console.print(f"{letter.place.partition}: {_describe(letter.output)}")
            return
        if not letters:
            return
        async with self._producer.transaction():
            futures = [
                await self._producer.send(to.topic, key=to.key, value=to.value, headers=to.headers)
                for _, _, to in letters
            ]
            for future in futures:
                await future
            for letter in letters:
                self._progress[letter.place].finish(letter.slot)
            places = {letter.place for letter in letters}
            offsets = {place: self._position(place) for place in places}
            await self._producer.send_offsets_to_transaction(offsets, self._group)

    def _position(self, place: TopicPartition) -> OffsetAndMetadata:
        next_offset, metadata = self._progress[place].encode("replay")
        if len(metadata) > _METADATA_MAX_CHARS:
            raise CommandError("too many dead letters before this one have not gone back; replay the topic as a whole")
        return OffsetAndMetadata(next_offset, metadata)

    async def _problem(self, record: ConsumerRecord, output: Output) -> str | None:
        """Why the record cannot go back as it was."""
        if any(name == _TRUNCATED for name, _ in record.headers):
            return "its value was cut to fit the dead-letter topic; the original is at its original coordinates"
        if output.topic not in self._destinations:
            exists = (await self._cluster.partition_counts([output.topic]))[output.topic] > 0
            self._destinations[output.topic] = None if exists else f"topic {output.topic!r} does not exist"
            if exists:
                await self._cluster.load_limits([output.topic])
        if problem := self._destinations[output.topic]:
            return problem
        limit = self._cluster.max_message_bytes(output.topic)
        return f"{output.size} bytes; {output.topic} takes {limit}" if output.size > limit else None


def _as_it_was(record: ConsumerRecord) -> Output:
    """The record to send: original bytes, key and headers, to the topic whose dead letters these are.

    Not to the one that a header names: an upstream may have written it.
    """
    headers = [(name, value) for name, value in record.headers if not name.startswith(_DROPPED_PREFIXES)]
    return Output(record.topic.removesuffix(SUFFIX), record.key, record.value, headers)


def _describe(output: Output) -> str:
    key = "(no key)" if output.key is None else printable(output.key.decode(errors="backslashreplace"))
    return f"to {output.topic}, key {key}, {len(output.value or b'')} bytes"
