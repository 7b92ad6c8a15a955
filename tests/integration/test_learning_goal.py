"""The main job, end to end: `learning_goal` in, `learning_path` out, and a dead letter for what is no event."""

import json

from clients.content_service_stub import ContentServiceStub, resources_for
from consumers.topics import LEARNING_PATH, PATH_PROGRESS
from tests.integration.lab import until
from tests.integration.service import DEAD_LETTERS, goal_event, working
from tests.kafka import KafkaUnderTest


async def test_a_goal_becomes_a_path_with_everything_that_the_contract_names(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    async with working(service, content.base_url) as (worker, flow):
        await flow.send(goal_event(), headers=[("traceparent", b"00-abc-def-01")])
        (record,) = await flow.read(LEARNING_PATH)
        progress = [json.loads(record.value) for record in await flow.read(PATH_PROGRESS, 3)]
        await until(lambda: not worker.reasons(), "all flows to be ready")
    path = json.loads(record.value)
    assert set(path) == {
        "event_id", "source_event_id", "user_id", "learning_goal", "learning_path", "mastery_scores",
        "available_resources", "available_resources_truncated", "profile", "recommendations", "generated_at",
        "generated_by", "degraded",
    }  # fmt: skip
    assert set(path["learning_path"]) == {"goal", "difficulty_level", "total_duration", "steps"}
    assert set(path["learning_path"]["steps"][0]) == {
        "step_number", "title", "description", "estimated_duration", "resources", "prerequisites", "skills_covered",
    }  # fmt: skip
    assert record.key == b"u1"
    assert (path["user_id"], path["source_event_id"]) == ("u1", "evt-u1")
    assert (path["generated_by"], path["degraded"]) == ("offline", False)
    assert path["available_resources"] == [entry | {"url": entry.get("url")} for entry in resources_for("u1")]
    offered = {entry["resourceId"] for entry in path["available_resources"]}
    used = {resource for step in path["learning_path"]["steps"] for resource in step["resources"]}
    assert used
    assert used <= offered
    headers = dict(record.headers)
    assert headers["event-id"].decode() == path["event_id"]
    assert headers["source-event-id"] == b"evt-u1"
    assert headers["source-topic"] == b"learning_goal"
    assert int(headers["source-partition"]) >= 0
    assert headers["source-offset"] == b"0"
    assert headers["schema-version"] == b"1"
    assert headers["content-type"] == b"application/json"
    assert headers["traceparent"] == b"00-abc-def-01"
    assert {told["job_id"] for told in progress} == {"evt-u1"}
    assert [(told["status"], told["progress"]) for told in progress] == [
        ("processing", 30),
        ("processing", 90),
        ("completed", 100),
    ]


BAD_INPUT: dict[str, tuple[bytes | None, bytes]] = {
    "not UTF-8": (b'{"userId": "\xff\xfe"}', b"INVALID_JSON"),
    "not JSON": (b"hello", b"INVALID_JSON"),
    "an array": (b"[1, 2]", b"INVALID_EVENT"),
    "empty value": (None, b"INVALID_EVENT"),
    "wrong types": (json.dumps(goal_event(eventData={"learningGoal": 7})).encode(), b"INVALID_EVENT"),
    "unknown level": (
        json.dumps(goal_event(eventData={"learningGoal": "x", "currentLevel": "wizard"})).encode(),
        b"INVALID_EVENT",
    ),
    "a goal of 2,001 characters": (
        json.dumps(goal_event(eventData={"learningGoal": "x" * 2001})).encode(),
        b"INVALID_EVENT",
    ),
    "no userId": (json.dumps({"eventData": {"learningGoal": "x"}}).encode(), b"INVALID_EVENT"),
    "over MAX_EVENT_BYTES": (
        json.dumps(goal_event(metadata={"x": "y" * 70_000})).encode(),
        b"EVENT_TOO_LARGE",
    ),
    "nested 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"INVALID_JSON"),
    "one line of a multi-line JSON text": (b'  "eventId": "evt_test123",', b"INVALID_JSON"),
    "NaN": (b'{"userId": "u1", "eventData": {"learningGoal": NaN}}', b"INVALID_JSON"),
    "a lone surrogate": (b'{"userId": "\\ud800", "eventData": {"learningGoal": "x"}}', b"INVALID_JSON"),
    "a blank id": (json.dumps(goal_event(" ")).encode(), b"INVALID_EVENT"),
    "an id of 201 characters": (json.dumps(goal_event("u" * 201)).encode(), b"INVALID_EVENT"),
    "an id with control characters": (json.dumps(goal_event("a\u0007")).encode(), b"INVALID_EVENT"),
}


async def test_what_is_no_event_becomes_a_dead_letter_byte_for_byte_and_the_next_goes_through(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    async with working(service, content.base_url, max_event_bytes=65_536) as (_, flow):
        for name, (value, _) in BAD_INPUT.items():
            await flow.send(value, headers=[("own", name.encode())])
            await flow.send(goal_event(eventId=f"after {name}"))
        letters = {
            dict(letter.headers)["own"].decode(): letter for letter in await flow.read(DEAD_LETTERS, len(BAD_INPUT))
        }
        paths = [json.loads(record.value) for record in await flow.read(LEARNING_PATH, len(BAD_INPUT))]
    assert [path["source_event_id"] for path in paths] == [f"after {name}" for name in BAD_INPUT]
    for name, (value, code) in BAD_INPUT.items():
        letter = letters[name]
        headers = dict(letter.headers)
        assert letter.key == b"u1", name
        assert letter.value == value, name
        assert headers["pathstream-error-code"] == code, name
        assert headers["pathstream-error-category"] == b"validation", name
        assert headers["pathstream-attempts"] == b"1", name
        assert headers["kafka_dlt-original-topic"] == b"learning_goal", name
    message = dict(letters["one line of a multi-line JSON text"].headers)["kafka_dlt-exception-message"].decode()
    assert "one line" in message
    assert "pathstream produce" in message


async def test_a_dead_letter_too_big_for_its_topic_still_lands(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    await set_max_message_bytes(service, DEAD_LETTERS, 10_000)
    async with working(service, content.base_url, max_event_bytes=5_000) as (_, flow):
        await flow.send(b"x" * 50_000)
        (letter,) = await flow.read(DEAD_LETTERS)
    headers = dict(letter.headers)
    assert headers["pathstream-value-truncated"] == b"50000"
    assert headers["kafka_dlt-original-offset"] == (0).to_bytes(8, "big")
    assert set(letter.value) == {ord("x")}
    assert 1_000 < len(letter.value) < 10_000


async def test_a_path_too_big_for_its_topic_keeps_the_resources_in_use(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    await set_max_message_bytes(service, LEARNING_PATH, 9_000)
    async with working(service, content.base_url) as (_, flow):
        await flow.send(goal_event())
        path = await flow.path()
    assert path["available_resources_truncated"] is True
    kept = {entry["resourceId"] for entry in path["available_resources"]}
    assert {name for step in path["learning_path"]["steps"] for name in step["resources"]} <= kept
    assert len(kept) < len(resources_for("u1"))


async def set_max_message_bytes(kafka: KafkaUnderTest, topic: str, limit: int) -> None:
    """Make a topic anew with a limit of its own."""
    admin = kafka.connection.admin()
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()
    for _ in range(100):
        try:
            await kafka.create_topic(topic, partitions=6, config={"max.message.bytes": str(limit)})
        except RuntimeError:
            continue
        return
