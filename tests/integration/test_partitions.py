"""A learner's partition: events that stand elsewhere, counts that change, changelogs that are not the same log."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from consumers.engine.loop import Engine
from consumers.engine.mark import mark_of
from producers.output import partition_for
from tests.integration.lab import Lab, until
from tests.integration.test_state import count_events
from tests.kafka import RealKafka

COUNTS_DIFFER = "topics that are used together need one partition count"


@pytest.fixture
def lab(connection: Connection, tmp_path: Path) -> Lab:
    return Lab(connection, state_dir=tmp_path / "state")


async def counts_in_order(lab: Lab, events: int) -> dict[bytes, list[tuple[int, int]]]:
    """What `count_events` made of each learner's events: number and count, in the order in which they came out."""
    records = await lab.read(lab.out, 2 * events)
    keyed = [record for record in records if b":" not in record.value]
    assert len(keyed) == events, "an event came out more or less than once"
    counted = dict(_pair(record.value) for record in records if b":" in record.value)
    found: dict[bytes, list[tuple[int, int]]] = {}
    for record in sorted(keyed, key=lambda record: (record.partition, record.offset)):
        found.setdefault(record.key, []).append((int(record.value), counted[int(record.value)]))
    return found


def _pair(value: bytes) -> tuple[int, int]:
    number, count = value.split(b":")
    return int(number), int(count)


async def test_records_of_another_partitioner_are_handled_once_in_order_and_by_one_task(lab: Lab) -> None:
    """Keyed by the learner's id, and not where murmur2 would place them: as librdkafka does by default."""
    await lab.create(partitions=2)
    async with lab.connection.producer() as producer:
        for n in range(40):
            learner = f"learner-{n % 4}"
            right = partition_for(learner.encode(), 2)
            wrong_one = right if n % 4 == 0 else 1 - right  # learner 0 is where it belongs
            value = json.dumps({"userId": learner, "eventId": f"e-{n}", "n": n}).encode()
            await producer.send(lab.topic, value, key=learner.encode(), partition=wrong_one)
        again = json.dumps({"userId": "learner-1", "eventId": "e-1", "n": 1}).encode()
        await producer.flush()
        await producer.send_and_wait(lab.topic, again, key=b"learner-1", partition=partition_for(b"learner-1", 2))
    async with lab.engine(count_events) as engine:
        found = await counts_in_order(lab, 40)
        await until(lambda: sum(task.waiting for task in engine._tasks) == 0, "the repeated event to be done")
    assert found == {b"learner-%d" % learner: [(n, n // 4 + 1) for n in range(learner, 40, 4)] for learner in range(4)}
    assert set(lab.handled.values()) == {1}, "the same event id in both partitions was handled twice"
    moved = await lab.read(f"{lab.group}-repartition", 30)
    assert {record.partition for record in moved if record.key == b"learner-1"} == {partition_for(b"learner-1", 2)}


async def grow(lab: Lab, topic: str, count: int) -> None:
    admin = lab.connection.admin()
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(total_count=count)})
    finally:
        await admin.close()


async def look_again(engine: Engine) -> None:
    """What the consumer would do by itself within five minutes."""
    assert engine._session is not None
    await engine._session._consumer._client.force_metadata_update()


async def test_while_an_input_has_more_partitions_than_the_state_nothing_is_handled(
    real_kafka: RealKafka, tmp_path: Path
) -> None:
    """Also when all topics are made larger afterwards: the state was written for two partitions."""
    lab = Lab(Connection(bootstrap_servers=real_kafka.bootstrap_servers), state_dir=tmp_path / "state")
    await lab.create(partitions=2)
    await lab.send(40, keys=20)
    async with lab.engine(count_events) as engine:
        await lab.read(lab.out, 80)
        await grow(lab, lab.topic, 3)
        await look_again(engine)
        await until(lambda: COUNTS_DIFFER in str(engine.reasons()), "the reason on /readyz")
        await lab.send(20, keys=20)
        internal = [topic for topic in lab.topics if topic.startswith(lab.group)]
        assert f"delete {', '.join(internal)} and run `pathstream topics create`" in str(engine.reasons())
        for topic in internal:
            await grow(lab, topic, 3)
        await look_again(engine)
        await until(lambda: "-state was begun with 2" in str(engine.reasons()), "the reason that is left")
    assert lab.handled.total() == 40
    async with lab.engine(count_events) as engine:
        await until(lambda: "-state was begun with 2" in str(engine.reasons()), "the reason at a new start")
    assert lab.handled.total() == 40, "handled where the learner's state is not"


async def test_moved_learners_are_sent_home_as_long_as_nobody_knows_of_more_partitions(
    real_kafka: RealKafka, tmp_path: Path
) -> None:
    """An upstream sees the new count first; a worker that does not yet, keeps each learner where its state is."""
    lab = Lab(Connection(bootstrap_servers=real_kafka.bootstrap_servers), state_dir=tmp_path / "state")
    await lab.create(partitions=2)
    await lab.send(40, keys=20)
    async with lab.engine(count_events):
        await lab.read(lab.out, 80)
        await grow(lab, lab.topic, 3)
        await lab.send(20, keys=20)
        in_old_ones = [n for n in range(40, 60) if partition_for(b"learner-%d" % (n % 20), 3) < 2]
        records = await lab.read(lab.out, 80 + 2 * len(in_old_ones))
    counted = dict(_pair(record.value) for record in records if b":" in record.value)
    assert {n: counted[n] for n in in_old_ones} == dict.fromkeys(in_old_ones, 3)


async def delete(lab: Lab, *topics: str) -> None:
    admin, client = lab.connection.admin(), lab.connection.client()
    await admin.start()
    await client.bootstrap()
    try:
        await admin.delete_topics(list(topics))
        async with asyncio.timeout(20):
            while set(topics) & (await client.fetch_all_metadata()).topics():
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
        await client.close()


async def test_a_folder_left_behind_says_nothing_once_the_changelogs_are_made_anew(lab: Lab) -> None:
    """The state is given up as the remedy says, while the folder of a worker that was killed is still there."""
    await lab.create(partitions=1)
    await lab.send(50, keys=50)
    folder = lab.state_dir
    assert folder is not None
    async with lab.doomed_engine(count_events):
        await lab.read(lab.out, 100)
    internal = [topic for topic in lab.topics if topic.startswith(lab.group)]
    await delete(lab, *internal)
    await lab.create(partitions=1, without=tuple(topic for topic in lab.topics if topic not in internal))
    lab.state_dir = folder.with_name("another disk")
    await lab.send(100, keys=50)
    async with lab.doomed_engine(count_events):  # the new log is longer than the old one was
        await lab.read(lab.out, 300)
    lab.state_dir = folder
    await lab.send(50, keys=50)
    async with lab.engine(count_events):
        found = await counts_in_order(lab, 200)
    newest = {key: pairs[-1][1] for key, pairs in found.items()}
    assert newest == {b"learner-%d" % n: 3 for n in range(50)}, "state of the old log was kept"


async def test_one_state_dir_serves_another_cluster_without_what_it_held_of_the_first(tmp_path: Path) -> None:
    async with EmbeddedKafka(auto_create_topics=False) as first:
        lab = Lab(Connection(bootstrap_servers=first.bootstrap_servers), name="same", state_dir=tmp_path / "disk")
        await lab.create(partitions=1)
        await lab.send(10)
        async with lab.doomed_engine(count_events):
            await lab.read(lab.out, 20)
    async with EmbeddedKafka(auto_create_topics=False) as second:
        lab = Lab(Connection(bootstrap_servers=second.bootstrap_servers), name="same", state_dir=tmp_path / "other")
        await lab.create(partitions=1)
        await lab.send(50)
        async with lab.doomed_engine(count_events):
            await lab.read(lab.out, 100)
        lab.state_dir = tmp_path / "disk"
        await lab.send(10)
        async with lab.engine(count_events):
            found = await counts_in_order(lab, 60)
    assert {pairs[-1][1] for pairs in found.values()} == {6}, "state of the other cluster was kept"


async def test_workers_that_begin_a_changelog_at_once_agree_on_which_log_it_is(lab: Lab) -> None:
    await lab.create(partitions=3)
    marks = await asyncio.gather(
        *(mark_of(lab.connection, f"{lab.group}-state", partitions) for partitions in (3,) * 8)
    )
    assert len(set(marks)) == 1
    assert marks[0].partitions == 3
    assert await mark_of(lab.connection, f"{lab.group}-state", 5) == marks[0], "the mark was written again"


async def test_a_changelog_begun_before_there_were_marks_is_taken_as_it_is(lab: Lab) -> None:
    await lab.create(partitions=1)
    async with lab.connection.producer() as producer:
        await producer.send_and_wait(f"{lab.group}-state", b"{}", key=b"s\x00old\x00learner-0\x00all")
    await lab.send(20)
    async with lab.engine(count_events):
        await counts_in_order(lab, 20)
