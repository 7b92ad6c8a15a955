"""Bad and extreme input to the skills-gap flow of a running worker: defined for each, and the worker goes on."""

import json
import unicodedata
from collections.abc import AsyncIterator
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
from tests.integration.gap_lab import DEAD_DECISIONS, DEAD_GAPS, GapLab, gap_event, gap_worker
from tests.kafka import KafkaUnderTest

BAD_GAPS: dict[str, bytes | None] = {
    "not JSON": b"{oops",
    "not UTF-8": b'{"user_id": "\xff"}',
    "a lone surrogate": b'{"user_id": "\\ud800"}',
    "a tombstone": None,
    "an array": b"[]",
    "a null payload": b'{"payload": null}',
    "a payload that is a list": b'{"payload": [1]}',
    "nested until a parser gives up": b'{"payload":' * 5_000 + b"{}" + b"}" * 5_000,
}
BAD_CHANGES: dict[str, dict[str, Any]] = {
    "a gap that is a list": {"gap": ["MGS_Hooks"]},
    "a gap that is a text": {"gap": "MGS_Hooks"},
    "a gap that is a number": {"gap": 5},
    "no gap": {"gap": None},
    "skills that are a text": {"gap": {"Front End": "MGS_Hooks"}},
    "skills that are numbers": {"gap": {"Front End": [1, 2]}},
    "skills that are null": {"gap": {"Front End": [None]}},
    "skills that are objects": {"gap": {"Front End": [{"id": "MGS_Hooks"}]}},
    "an empty skill": {"gap": {"Front End": [" "]}},
    "an empty competency": {"gap": {"": ["MGS_Hooks"]}},
    "a competency of spaces": {"gap": {" \t": ["MGS_Hooks"]}},
    "an empty target": {"competency_target_name": ""},
    "an empty user": {"user_id": " "},
    "a user who is a list, in an envelope": {"payload": {"user_id": ["kim"]}},
    "no company id": {"company_id": None},
    "an empty company id": {"company_id": ""},
    "a company id that is a number": {"company_id": 7},
    "an unknown exam status": {"exam_status": "MAYBE"},
    "an unknown action": {"action": "delete_everything"},
    "10,001 skills": {"gap": {"Front End": [f"MGS_{number}" for number in range(10_001)]}},
    "a path for a gap that nobody knows": {"gap": None, "action": "generate_learning_path"},
}
BAD_GAPS |= {name: json.dumps(gap_event() | changes).encode() for name, changes in BAD_CHANGES.items()}
CODES = {
    "not JSON": "INVALID_JSON",
    "not UTF-8": "INVALID_JSON",
    "a lone surrogate": "INVALID_JSON",
    "nested until a parser gives up": "INVALID_JSON",
}
DECISION = {"approval_id": "a-1", "user_id": "kim", "competency_target_name": "React Development"}
BAD_DECISIONS: dict[str, tuple[dict[str, Any], str]] = {
    "on nothing": (DECISION | {"decision": "approved"}, "UNKNOWN_APPROVAL"),
    "no decision": (DECISION | {"decision": "perhaps"}, "INVALID_EVENT"),
    "changes without feedback": (DECISION | {"decision": "changes_requested"}, "INVALID_EVENT"),
    "no approval id": (DECISION | {"approval_id": "", "decision": "approved"}, "INVALID_EVENT"),
}


@pytest.fixture
async def services(content: ContentServiceStub) -> AsyncIterator[dict[str, Any]]:
    async with SkillsEngineStub() as engine:
        yield {"content_service_base_url": content.base_url, "skills_engine_base_url": engine.base_url}


async def test_every_bad_gap_is_a_dead_letter_with_its_code_and_the_worker_goes_on(
    embedded_service: KafkaUnderTest, services: dict[str, Any]
) -> None:
    async with gap_worker(embedded_service, **services) as (_, lab):
        await lab.send(SKILLS_GAP_UPDATED, *BAD_GAPS.values())
        await lab.gap(gap_event())
        codes = await lab.letters(DEAD_GAPS, len(BAD_GAPS))
        assert dict(zip(BAD_GAPS, codes, strict=True)) == {name: CODES.get(name, "INVALID_EVENT") for name in BAD_GAPS}
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert (path["user_id"], path["revision"], path["degraded"]) == ("kim", 1, False)


async def test_every_bad_decision_is_a_dead_letter_with_its_code_and_fails_no_job(
    embedded_service: KafkaUnderTest, services: dict[str, Any]
) -> None:
    async with gap_worker(embedded_service, **services) as (_, lab):
        await lab.send(APPROVAL_DECISION, *(event for event, _ in BAD_DECISIONS.values()))
        codes = await lab.letters(DEAD_DECISIONS, len(BAD_DECISIONS))
        assert dict(zip(BAD_DECISIONS, codes, strict=True)) == {name: code for name, (_, code) in BAD_DECISIONS.items()}
        await lab.gap(gap_event())
        told = await lab.read(PATH_PROGRESS, 5)
    assert [each["status"] for each in told] == ["processing"] * 4 + ["completed"]


async def test_a_company_without_an_id_or_under_another_key_changes_nothing(
    embedded_service: KafkaUnderTest, services: dict[str, Any]
) -> None:
    lab = GapLab(embedded_service)
    policy = {"company_name": "TechCorp Inc.", "approval_policy": "manual"}
    await lab.send(COMPANY_UPDATED, b"{oops", policy, policy | {"company_id": "zenith"}, key="techcorp")
    await lab.company("perhaps")
    async with gap_worker(embedded_service, **services):
        await lab.gap(gap_event())
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert sent["reason"] == "auto_policy"
    assert not await lab.read(APPROVAL_REQUESTED, 0)


async def test_a_company_that_the_directory_deletes_is_back_at_auto(
    embedded_service: KafkaUnderTest, services: dict[str, Any]
) -> None:
    lab = GapLab(embedded_service)
    await lab.company("manual")
    await lab.send(COMPANY_UPDATED, None, key="techcorp")
    async with gap_worker(embedded_service, **services):
        await lab.gap(gap_event())
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert sent["reason"] == "auto_policy"


async def test_competencies_that_differ_in_case_or_unicode_form_are_one_path(
    embedded_service: KafkaUnderTest, services: dict[str, Any]
) -> None:
    """In the target, and within a gap, where their skills are put together."""
    name = "Développement Réact"
    spellings = [name, name.upper(), unicodedata.normalize("NFD", name), f"  {name.lower()} "]
    gap = {spelling: [f"MGS_{number}"] for number, spelling in enumerate(spellings)}
    async with gap_worker(embedded_service, **services) as (_, lab):
        for number, spelling in enumerate(spellings):
            event = gap_event(competency_target_name=spelling, gap=gap | {"More": [f"MGS_more_{number}"]})
            await lab.gap(event)
        paths = await lab.read(LEARNING_PATH, len(spellings))
        sent = await lab.read(DISTRIBUTION, len(spellings))
    assert [path["revision"] for path in paths] == [1, 2, 3, 4]
    assert {path["competency_target_name"] for path in paths} == {name}
    assert sent[0]["skills_raw_data"] == {name: ["MGS_0", "MGS_1", "MGS_2", "MGS_3"], "More": ["MGS_more_0"]}


@pytest.mark.parametrize("competencies", [1, 50, 5_000])
async def test_five_thousand_skills_in_one_gap_come_out_whole(
    embedded_service: KafkaUnderTest, services: dict[str, Any], competencies: int
) -> None:
    each = 5_000 // competencies
    gap = {f"Competency_{n}": [f"MGS_Skill_Number_{n}_{m}" for m in range(each)] for n in range(competencies)}
    skills = {skill for named in gap.values() for skill in named}
    await GapLab(embedded_service).company("manual")
    async with gap_worker(embedded_service, **services) as (_, lab):
        await lab.gap(gap_event(event_id="first", gap=gap))
        (path,) = await lab.read(LEARNING_PATH, 1)
        (request,) = await lab.read(APPROVAL_REQUESTED, 1)
        await lab.decide(request, "approved")
        (sent,) = await lab.read(DISTRIBUTION, 1)
        await lab.gap(gap_event(gap={"Competency_0": ["MGS_Skill_Number_0_0"]}, exam_status="FAIL"))
        *_, small = await lab.read(LEARNING_PATH, 3)
    assert len(skills) == 5_000
    assert skills <= {skill for step in path["learning_path"]["steps"] for skill in step["skills_covered"]}
    assert len(path["learning_path"]["steps"]) <= 12
    assert sent["skills_raw_data"] == gap
    assert sent["learning_path"] == path["learning_path"]
    assert small["profile"]["weaknesses"] == ["MGS_Skill_Number_0_0"]
