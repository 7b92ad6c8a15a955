"""Seed 000's story: John fails his exam, his gap shrinks, his path follows; Jane's company wants to be asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.content_service_stub import ContentServiceStub
from clients.skills_engine_stub import SkillsEngineStub
from consumers.topics import (
    APPROVAL_DECISION,
    APPROVAL_REQUESTED,
    COMPANY_UPDATED,
    DISTRIBUTION,
    LEARNING_PATH,
    PATH_PROGRESS,
    SKILLS_GAP_UPDATED,
)
from tests.integration.lab import Lab
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaTools, KafkaUnderTest, free_port

COMPETENCY = "React Development"
TEN_SKILLS = [f"MGS_React_Skill_{number}" for number in range(1, 8)] + [
    "MGS_React_Hooks_Advanced",
    "MGS_Flexbox_Grid_System",
    "MGS_Async_Await_Handling",
]
THREE_LEFT = TEN_SKILLS[7:]
DECISION_MAKER = {"employee_id": "boss-1", "employee_name": "Ada", "employee_email": "ada@example.com"}


@pytest.fixture
async def skills_engine() -> AsyncIterator[SkillsEngineStub]:
    async with SkillsEngineStub() as stub:
        yield stub


class Story:
    """What the upstream services and an operator do and see, with Kafka's own tools."""

    def __init__(self, kafka: KafkaUnderTest, tools: KafkaTools) -> None:
        self._lab = Lab(kafka.connection)
        self._tools = tools

    async def produce(self, topic: str, event: dict[str, Any], key: str | None = None) -> None:
        """One event on one line through kafka-console-producer."""
        keyed = ("--property", "parse.key=true") if key else ()
        line = (f"{key}\t" if key else "") + json.dumps(event)
        await asyncio.to_thread(self._tools.tool, "kafka-console-producer", "--topic", topic, *keyed, input=f"{line}\n")

    async def gap(self, user_id: str, skills: list[str], exam_status: str | None, company_id: str = "techcorp") -> None:
        """Seed 000, step 2: what the Skills Engine sends."""
        payload = {
            "action": "update_skills_gap",
            "user_id": user_id,
            "user_name": user_id.title(),
            "company_id": company_id,
            "company_name": "TechCorp Inc.",
            "competency_target_name": COMPETENCY,
            "exam_status": exam_status,
            "gap": {"Competency_Front_End_Development": skills},
        }
        await self.produce(SKILLS_GAP_UPDATED, {"requester_service": "assessment", "payload": payload})

    async def decide(self, request: dict[str, Any], decision: str, feedback: str | None = None) -> None:
        answer = {name: request[name] for name in ("approval_id", "user_id", "competency_target_name")}
        event = answer | {"decision": decision, "feedback": feedback, "decided_by": DECISION_MAKER["employee_id"]}
        await self.produce(APPROVAL_DECISION, event, key=request["user_id"])

    async def read(self, topic: str, user_id: str, count: int) -> list[dict[str, Any]]:
        """A learner's committed records, in order, once there are so many; all that are there."""
        async with asyncio.timeout(40):
            while True:
                records = [json.loads(record.value) for record in await self._lab.read(topic, 0)]
                found = [record for record in records if record["user_id"] == user_id]
                if len(found) >= count:
                    return found


@pytest.fixture
async def story(
    service: KafkaUnderTest,
    kafka_tools: KafkaTools,
    content: ContentServiceStub,
    skills_engine: SkillsEngineStub,
    tmp_path: Path,
) -> AsyncIterator[Story]:
    """A worker process, and the world around it."""
    settings = {
        "CONTENT_SERVICE_BASE_URL": content.base_url,
        "SKILLS_ENGINE_BASE_URL": skills_engine.base_url,
        "COMMIT_INTERVAL_MS": "20",
    }
    worker = WorkerProcess(service.bootstrap_servers, tmp_path / "worker.log", free_port(), settings)
    worker.start()
    try:
        await asyncio.to_thread(worker.wait_until_ready)
        yield Story(service, kafka_tools)
    finally:
        worker.close()


def taught(path: dict[str, Any]) -> set[str]:
    return {skill for step in path["learning_path"]["steps"] for skill in step["skills_covered"]}


@pytest.mark.timeout(120)
async def test_john_fails_his_exam_and_gets_a_shorter_path_without_anybody_being_asked(story: Story) -> None:
    """Ten skills are missing, John learns seven and fails; three are left (seed 000, 'Example Scenario')."""
    await story.gap("john", TEN_SKILLS, None)
    (first,) = await story.read(LEARNING_PATH, "john", 1)
    assert (first["change"], first["revision"], first["approval_status"]) == ("created", 1, "not_required")
    assert set(TEN_SKILLS) <= taught(first)
    (sent,) = await story.read(DISTRIBUTION, "john", 1)
    assert (sent["reason"], sent["exam_status"]) == ("auto_policy", None)
    assert sent["recipients"] == ["course_builder", "learning_analytics", "management_reports"]

    await story.gap("john", THREE_LEFT, "FAIL")
    _, second = await story.read(LEARNING_PATH, "john", 2)
    assert (second["change"], second["revision"], second["approval_status"]) == ("updated", 2, "not_required")
    assert (second["competency_target_name"], second["created_at"]) == (COMPETENCY, first["created_at"])
    assert second["last_modified_at"] > first["last_modified_at"]
    assert taught(second) >= set(THREE_LEFT)
    assert not taught(second) & set(TEN_SKILLS[:7])
    assert len(second["learning_path"]["steps"]) < len(first["learning_path"]["steps"])
    assert set(TEN_SKILLS[:7]) <= set(second["profile"]["strengths"])
    assert second["profile"]["weaknesses"] == THREE_LEFT
    assert [each["skill"] for each in second["recommendations"]] == THREE_LEFT
    _, sent = await story.read(DISTRIBUTION, "john", 2)
    assert (sent["reason"], sent["exam_status"]) == ("exam_failure_update", "FAIL")
    assert sent["learning_path"] == second["learning_path"]
    assert sent["skills_raw_data"] == {"Competency_Front_End_Development": THREE_LEFT}
    told = await story.read(PATH_PROGRESS, "john", 10)
    assert [(each["progress"], each["stage"]) for each in told] == [
        (30, "skills_expanded"),
        (50, "competencies_identified"),
        (70, "skills_broken_down"),
        (90, "path_planned"),
        (100, "path_stored"),
    ] * 2
    assert not await story.read(APPROVAL_REQUESTED, "john", 0)

    await story.gap("john", [], "PASS")
    *_, closed = await story.read(DISTRIBUTION, "john", 3)
    assert (closed["reason"], closed["learning_path"]) == ("gap_closed", None)
    assert len(await story.read(LEARNING_PATH, "john", 2)) == 2


@pytest.mark.timeout(180)
async def test_janes_company_decides_on_her_first_path_and_is_not_asked_after_a_failed_exam(story: Story) -> None:
    """Manual policy: changes are requested, then approved; the update after FAIL goes out at once."""
    company = {"company_id": "careful", "company_name": "Careful Ltd", "approval_policy": "manual"}
    await story.produce(COMPANY_UPDATED, company | {"decision_maker": DECISION_MAKER}, key="careful")
    await story.gap("jane", TEN_SKILLS, None, company_id="careful")
    (request,) = await story.read(APPROVAL_REQUESTED, "jane", 1)
    assert (request["revision"], request["decision_maker"]) == (1, DECISION_MAKER)
    (first,) = await story.read(LEARNING_PATH, "jane", 1)
    assert first["approval_status"] == "pending"
    assert first["learning_path"] == request["learning_path"]
    assert not await story.read(DISTRIBUTION, "jane", 0)

    await story.decide(request, "changes_requested", feedback="Hooks first, please")
    _, asked_again = await story.read(APPROVAL_REQUESTED, "jane", 2)
    assert asked_again["revision"] == 2
    assert asked_again["approval_id"] != request["approval_id"]
    assert not await story.read(DISTRIBUTION, "jane", 0)

    await story.decide(asked_again, "approved")
    (sent,) = await story.read(DISTRIBUTION, "jane", 1)
    assert sent["reason"] == "approved"
    told = await story.read(PATH_PROGRESS, "jane", 8)
    ends = [(each["stage"], each["status"]) for each in told if each["progress"] == 100]
    assert ends == [
        ("waiting_for_approval", "pending"),
        ("waiting_for_approval", "pending"),
        ("approved", "completed"),
    ]
    *_, approved = await story.read(LEARNING_PATH, "jane", 3)
    assert (approved["revision"], approved["approval_status"]) == (2, "approved")
    assert approved["learning_path"] == sent["learning_path"]

    await story.decide(request, "approved")
    (letter,) = await story._lab.read(f"{APPROVAL_DECISION}.dlq", 1)
    assert dict(letter.headers)["pathstream-error-code"] == b"UNKNOWN_APPROVAL"

    await story.gap("jane", THREE_LEFT, "FAIL", company_id="careful")
    _, sent = await story.read(DISTRIBUTION, "jane", 2)
    assert (sent["reason"], taught({"learning_path": sent["learning_path"]}) >= set(THREE_LEFT)) == (
        "exam_failure_update",
        True,
    )
    assert len(await story.read(APPROVAL_REQUESTED, "jane", 2)) == 2
