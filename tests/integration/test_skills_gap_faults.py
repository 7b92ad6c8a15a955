"""The skills-gap flow when things break: workers killed between any two steps, a model and services that are away."""

import asyncio
from collections.abc import Awaitable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clients.embedded_kafka import EmbeddedKafka
from clients.stub_server import Fault
from consumers.cli.replay import replay_dead_letters
from consumers.topics import APPROVAL_REQUESTED, DISTRIBUTION, LEARNING_PATH, PATH_PROGRESS
from tests.gap_answers import EXPANSION, NAMES, PLAN
from tests.integration.conftest import make_service_topics
from tests.integration.gap_lab import DEAD_DECISIONS, DEAD_GAPS, FRONT_END, GapLab, gap_event, gap_worker
from tests.integration.gap_neighbours import CONTENT, ENGINE, Neighbours
from tests.integration.lab import until
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaUnderTest, free_port
from tests.kafka.under_test import embedded_under_test

LEFT = {"Front End": ["MGS_Grid"]}


class Story:
    """A first path under a manual policy, changes requested, the next revision approved, told to one worker process.

    With `kills` a worker is killed -9 in each remote call in turn, always after the step before was committed, and the
    next one goes on.
    """

    def __init__(self, kafka: KafkaUnderTest, neighbours: Neighbours, folder: Path, *, kills: bool) -> None:
        folder.mkdir()
        self.kills = 0
        self._kills = kills
        self._neighbours = neighbours
        self._lab = GapLab(kafka)
        self._worker = WorkerProcess(kafka.bootstrap_servers, folder / "log", free_port(), neighbours.environment)

    async def tell(self) -> dict[str, list[Any]]:
        """All that comes out."""
        lab = self._lab
        try:
            await lab.company("manual")
            await self._start()
            await self._through((CONTENT, EXPANSION, NAMES, ENGINE, PLAN), lab.gap(gap_event(event_id="gap-1")))
            (request,) = await lab.read(APPROVAL_REQUESTED, 1)
            changes = lab.decide(request, "changes_requested", event_id="changes-1", feedback="more practice")
            await self._through((CONTENT, PLAN), changes)
            _, request = await lab.read(APPROVAL_REQUESTED, 2)
            await lab.decide(request, "approved", event_id="approved-1")
            await lab.read(DISTRIBUTION, 1)
            return await lab.everything()
        finally:
            self._worker.close()

    async def _through(self, calls: tuple[str, ...], send: Awaitable[None]) -> None:
        """Send an event; its calls are each a step, the content service's two together."""
        if not self._kills:
            return await send
        before = self._neighbours.calls(calls[0])
        self._neighbours.hold(calls[0])
        await send
        for finished, (call, following) in enumerate(pairwise((*calls, None))):
            assert call is not None
            arrived = before + (2 if call == CONTENT else 1)
            await until(lambda: self._neighbours.calls(call) == arrived, f"the call to {call}")  # noqa: B023 - waited for here
            async with asyncio.timeout(20):
                await self._lab.journaled(finished)
            self._worker.kill()
            self.kills += 1
            self._neighbours.let_go()
            if following is not None:
                before = self._neighbours.calls(following)
                self._neighbours.hold(following)
            await self._start()
        return None

    async def _start(self) -> None:
        self._worker.start()
        await asyncio.to_thread(self._worker.wait_until_ready)


@pytest.mark.timeout(240)
async def test_workers_killed_in_every_call_in_turn_leave_the_records_of_an_undisturbed_run_and_repeat_no_model_call(
    service: KafkaUnderTest, neighbours: Neighbours, tmp_path: Path
) -> None:
    async with EmbeddedKafka(auto_create_topics=False) as broker:
        calm = embedded_under_test(broker)
        await make_service_topics(calm.connection)
        expected = await Story(calm, neighbours, tmp_path / "calm", kills=False).tell()
    assert neighbours.gemini.calls == {EXPANSION: 1, NAMES: 1, PLAN: 2}
    neighbours.gemini.calls.clear()
    neighbours.engine.calls.clear()

    story = Story(service, neighbours, tmp_path / "killed", kills=True)
    found = await story.tell()

    assert story.kills == 7
    assert found == expected
    assert neighbours.gemini.calls == {EXPANSION: 1 + 1, NAMES: 1 + 1, PLAN: 2 + 2}, "those killed, and one more each"
    assert neighbours.calls(ENGINE) == 1 + 1
    assert [path["revision"] for path, _ in found[LEARNING_PATH]] == [1, 2, 2]
    assert "more practice" in str(found[DISTRIBUTION])


PROMPTS = pytest.mark.parametrize("prompt", [EXPANSION, NAMES, PLAN])


@PROMPTS
async def test_a_model_that_fails_in_any_prompt_is_stood_in_for(
    embedded_service: KafkaUnderTest, neighbours: Neighbours, prompt: str
) -> None:
    neighbours.gemini.by_schema[prompt] = "does_not_fit"
    async with gap_worker(embedded_service, **neighbours.settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert path["degraded"] is True
    assert path["generated_by"] == ("offline" if prompt == PLAN else "gemini/gemini-flash-latest")
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}
    assert sent["learning_path"] == path["learning_path"]


@PROMPTS
async def test_a_gap_is_kept_when_its_path_ends_as_a_dead_letter_and_the_replay_makes_the_path(
    embedded_service: KafkaUnderTest, neighbours: Neighbours, prompt: str
) -> None:
    settings = neighbours.settings | {"on_llm_failure": "dead_letter"}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event(event_id="first"))
        await lab.read(DISTRIBUTION, 1)
        neighbours.gemini.by_schema[prompt] = "does_not_fit"
        await lab.gap(gap_event(event_id="failed", exam_status="FAIL", gap=LEFT))
        assert await lab.letters(DEAD_GAPS, 1) == ["LLM_INVALID_OUTPUT"]
        *_, told = await lab.read(PATH_PROGRESS, 6)
        assert (told["job_id"], told["status"]) == ("failed", "failed")
        assert len(await lab.read(LEARNING_PATH, 1)) == 1

        neighbours.gemini.by_schema.clear()
        await replay_dead_letters(lab.connection, DEAD_GAPS, None, dry_run=False)
        *_, path = await lab.read(LEARNING_PATH, 2)
        *_, sent = await lab.read(DISTRIBUTION, 2)
    assert (path["revision"], path["source_event_id"], path["degraded"]) == (2, "failed", False)
    assert (sent["reason"], sent["skills_raw_data"]) == ("exam_failure_update", LEFT)
    assert set(path["profile"]["strengths"]) >= {"MGS_Hooks", "MGS_Bundler"}


async def test_a_gap_whose_path_became_a_dead_letter_is_there_for_whoever_asks_for_the_path(
    embedded_service: KafkaUnderTest, neighbours: Neighbours
) -> None:
    async with gap_worker(embedded_service, **neighbours.settings, on_llm_failure="dead_letter") as (_, lab):
        neighbours.gemini.by_schema[EXPANSION] = "unauthorized"
        await lab.gap(gap_event())
        assert await lab.letters(DEAD_GAPS, 1) == ["LLM_UNAVAILABLE"]
        neighbours.gemini.by_schema.clear()
        await lab.gap(gap_event(action="generate_learning_path", gap=None))
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert (path["revision"], path["change"]) == (1, "created")
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}


async def test_a_model_that_is_waited_for_is_not_asked_again_what_it_has_answered(
    embedded_service: KafkaUnderTest, neighbours: Neighbours
) -> None:
    neighbours.gemini.by_schema[NAMES] = "unavailable"
    settings = neighbours.settings | {"on_llm_failure": "retry", "max_attempts": 50}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event())
        await until(lambda: neighbours.gemini.calls[NAMES] >= 4, "a second attempt at the event")
        neighbours.gemini.by_schema.clear()
        (path,) = await lab.read(LEARNING_PATH, 1)
        told = await lab.read(PATH_PROGRESS, 5)
    assert path["degraded"] is False
    assert (neighbours.gemini.calls[EXPANSION], neighbours.gemini.calls[PLAN]) == (1, 1)
    assert [each["progress"] for each in told] == [30, 50, 70, 90, 100]


async def test_changes_that_no_model_could_make_leave_the_request_pending(
    embedded_service: KafkaUnderTest, neighbours: Neighbours
) -> None:
    await GapLab(embedded_service).company("manual")
    async with gap_worker(embedded_service, **neighbours.settings, on_llm_failure="dead_letter") as (_, lab):
        await lab.gap(gap_event())
        (request,) = await lab.read(APPROVAL_REQUESTED, 1)
        neighbours.gemini.by_schema[PLAN] = "unauthorized"
        await lab.decide(request, "changes_requested", feedback="shorter")
        assert await lab.letters(DEAD_DECISIONS, 1) == ["LLM_UNAVAILABLE"]
        await lab.decide(request, "approved")
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert sent["reason"] == "approved"


@pytest.mark.parametrize("fault", ["error", "denied", "silent", "html", "half_body"])
async def test_without_the_skills_engine_the_gaps_own_skills_go_on(
    embedded_service: KafkaUnderTest, neighbours: Neighbours, fault: Fault
) -> None:
    neighbours.engine.fault = fault
    settings = neighbours.settings | {"skills_engine_timeout_seconds": 0.3}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert path["degraded"] is True
    assert taught(path) == {skill for named in FRONT_END.values() for skill in named} | {
        f"{name} by hand" for name in FRONT_END
    }


@pytest.mark.parametrize("fault", ["error", "denied", "silent"])
async def test_without_the_content_service_the_path_has_no_resources(
    embedded_service: KafkaUnderTest, neighbours: Neighbours, fault: Fault
) -> None:
    neighbours.content.fault = fault
    settings = neighbours.settings | {"content_service_timeout_seconds": 0.3}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert (path["degraded"], path["available_resources"], path["mastery_scores"]) == (True, [], {})
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}


def taught(path: dict[str, Any]) -> set[str]:
    return {skill for step in path["learning_path"]["steps"] for skill in step["skills_covered"]}
