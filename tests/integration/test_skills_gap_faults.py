"""The skills-gap flow when things break: workers killed between any two steps, a model and services that are away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from clients.content_service_stub import ContentServiceStub
from clients.embedded_kafka import EmbeddedKafka
from clients.skills_engine_stub import SkillsEngineStub
from clients.stub_server import Fault
from consumers.cli.replay import replay_dead_letters
from consumers.topics import APPROVAL_REQUESTED, DISTRIBUTION, LEARNING_PATH, PATH_PROGRESS
from tests.gap_answers import EXPANSION, NAMES, PLAN, gap_answer
from tests.gemini_server import GeminiServer
from tests.integration.conftest import make_service_topics
from tests.integration.gap_lab import DEAD_DECISIONS, DEAD_GAPS, FRONT_END, GapLab, gap_event, gap_worker
from tests.integration.lab import until
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaUnderTest, free_port
from tests.kafka.under_test import embedded_under_test

CONTENT, ENGINE = "content service", "Skills Engine"
LEFT = {"Front End": ["MGS_Grid"]}


class World:
    """The services around a worker; each of their calls can be kept without an answer."""

    def __init__(self, content: ContentServiceStub, engine: SkillsEngineStub, gemini: GeminiServer) -> None:
        self.content = content
        self.engine = engine
        self.gemini = gemini

    def calls(self, call: str) -> int:
        """How many came in, answered or not."""
        counts = {CONTENT: self.content.calls, ENGINE: self.engine.calls}
        return sum(counts[call].values()) if call in counts else self.gemini.calls[call]

    def hold(self, call: str) -> None:
        """From now on nobody answers this."""
        if call == CONTENT:
            self.content.fault = "silent"
        elif call == ENGINE:
            self.engine.fault = "silent"
        else:
            self.gemini.by_schema[call] = "silent"

    def let_go(self) -> None:
        self.content.fault = self.engine.fault = None
        self.gemini.by_schema.clear()

    @property
    def settings(self) -> dict[str, Any]:
        """For a worker in this process."""
        return {
            "content_service_base_url": self.content.base_url,
            "skills_engine_base_url": self.engine.base_url,
            "llm_provider": "gemini",
            "GOOGLE_API_KEY": SecretStr("test-key"),
            "llm_base_url": self.gemini.base_url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """For a worker in a process of its own: patient, so that a call without an answer is not made again."""
        return {
            "CONTENT_SERVICE_BASE_URL": self.content.base_url,
            "SKILLS_ENGINE_BASE_URL": self.engine.base_url,
            "LLM_PROVIDER": "gemini",
            "GOOGLE_API_KEY": "test-key",
            "LLM_BASE_URL": self.gemini.base_url,
            "COMMIT_INTERVAL_MS": "20",
            "KAFKA_GROUP_INSTANCE_ID": "the-one",
            **{f"{name}_TIMEOUT_SECONDS": "120" for name in ("CONTENT_SERVICE", "SKILLS_ENGINE", "LLM")},
        }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with (
        ContentServiceStub(silent_seconds=600) as content,
        SkillsEngineStub(silent_seconds=600) as engine,
        GeminiServer(text=gap_answer) as gemini,
    ):
        yield World(content, engine, gemini)


class Story:
    """A first path under a manual policy, changes requested, the next revision approved, told to one worker process.

    With `kills` a worker is killed -9 in each remote call in turn, always after the step before was committed, and the
    next one goes on.
    """

    def __init__(self, kafka: KafkaUnderTest, world: World, folder: Path, *, kills: bool) -> None:
        folder.mkdir()
        self.kills = 0
        self._kills = kills
        self._world = world
        self._lab = GapLab(kafka)
        self._worker = WorkerProcess(kafka.bootstrap_servers, folder / "log", free_port(), world.environment)

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
        before = self._world.calls(calls[0])
        self._world.hold(calls[0])
        await send
        for finished, (call, following) in enumerate(pairwise((*calls, None))):
            assert call is not None
            arrived = before + (2 if call == CONTENT else 1)
            await until(lambda: self._world.calls(call) == arrived, f"the call to {call}")  # noqa: B023 - waited for here
            async with asyncio.timeout(20):
                await self._lab.journaled(finished)
            self._worker.kill()
            self.kills += 1
            self._world.let_go()
            if following is not None:
                before = self._world.calls(following)
                self._world.hold(following)
            await self._start()
        return None

    async def _start(self) -> None:
        self._worker.start()
        await asyncio.to_thread(self._worker.wait_until_ready)


@pytest.mark.timeout(240)
async def test_workers_killed_in_every_call_in_turn_leave_the_records_of_an_undisturbed_run_and_repeat_no_model_call(
    service: KafkaUnderTest, world: World, tmp_path: Path
) -> None:
    async with EmbeddedKafka(auto_create_topics=False) as broker:
        calm = embedded_under_test(broker)
        await make_service_topics(calm.connection)
        expected = await Story(calm, world, tmp_path / "calm", kills=False).tell()
    assert world.gemini.calls == {EXPANSION: 1, NAMES: 1, PLAN: 2}
    world.gemini.calls.clear()
    world.engine.calls.clear()

    story = Story(service, world, tmp_path / "killed", kills=True)
    found = await story.tell()

    assert story.kills == 7
    assert found == expected
    assert world.gemini.calls == {EXPANSION: 1 + 1, NAMES: 1 + 1, PLAN: 2 + 2}, "those killed, and one more each"
    assert world.calls(ENGINE) == 1 + 1
    assert [path["revision"] for path, _ in found[LEARNING_PATH]] == [1, 2, 2]
    assert "more practice" in str(found[DISTRIBUTION])


PROMPTS = pytest.mark.parametrize("prompt", [EXPANSION, NAMES, PLAN])


@PROMPTS
async def test_a_model_that_fails_in_any_prompt_is_stood_in_for(
    embedded_service: KafkaUnderTest, world: World, prompt: str
) -> None:
    world.gemini.by_schema[prompt] = "does_not_fit"
    async with gap_worker(embedded_service, **world.settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert path["degraded"] is True
    assert path["generated_by"] == ("offline" if prompt == PLAN else "gemini/gemini-flash-latest")
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}
    assert sent["learning_path"] == path["learning_path"]


@PROMPTS
async def test_a_gap_is_kept_when_its_path_ends_as_a_dead_letter_and_the_replay_makes_the_path(
    embedded_service: KafkaUnderTest, world: World, prompt: str
) -> None:
    settings = world.settings | {"on_llm_failure": "dead_letter"}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event(event_id="first"))
        await lab.read(DISTRIBUTION, 1)
        world.gemini.by_schema[prompt] = "does_not_fit"
        await lab.gap(gap_event(event_id="failed", exam_status="FAIL", gap=LEFT))
        assert await lab.letters(DEAD_GAPS, 1) == ["LLM_INVALID_OUTPUT"]
        *_, told = await lab.read(PATH_PROGRESS, 6)
        assert (told["job_id"], told["status"]) == ("failed", "failed")
        assert len(await lab.read(LEARNING_PATH, 1)) == 1

        world.gemini.by_schema.clear()
        await replay_dead_letters(lab.connection, DEAD_GAPS, None, dry_run=False)
        *_, path = await lab.read(LEARNING_PATH, 2)
        *_, sent = await lab.read(DISTRIBUTION, 2)
    assert (path["revision"], path["source_event_id"], path["degraded"]) == (2, "failed", False)
    assert (sent["reason"], sent["skills_raw_data"]) == ("exam_failure_update", LEFT)
    assert set(path["profile"]["strengths"]) >= {"MGS_Hooks", "MGS_Bundler"}


async def test_a_gap_whose_path_became_a_dead_letter_is_there_for_whoever_asks_for_the_path(
    embedded_service: KafkaUnderTest, world: World
) -> None:
    async with gap_worker(embedded_service, **world.settings, on_llm_failure="dead_letter") as (_, lab):
        world.gemini.by_schema[EXPANSION] = "unauthorized"
        await lab.gap(gap_event())
        assert await lab.letters(DEAD_GAPS, 1) == ["LLM_UNAVAILABLE"]
        world.gemini.by_schema.clear()
        await lab.gap(gap_event(action="generate_learning_path", gap=None))
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert (path["revision"], path["change"]) == (1, "created")
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}


async def test_changes_that_no_model_could_make_leave_the_request_pending(
    embedded_service: KafkaUnderTest, world: World
) -> None:
    await GapLab(embedded_service).company("manual")
    async with gap_worker(embedded_service, **world.settings, on_llm_failure="dead_letter") as (_, lab):
        await lab.gap(gap_event())
        (request,) = await lab.read(APPROVAL_REQUESTED, 1)
        world.gemini.by_schema[PLAN] = "unauthorized"
        await lab.decide(request, "changes_requested", feedback="shorter")
        assert await lab.letters(DEAD_DECISIONS, 1) == ["LLM_UNAVAILABLE"]
        await lab.decide(request, "approved")
        (sent,) = await lab.read(DISTRIBUTION, 1)
    assert sent["reason"] == "approved"


@pytest.mark.parametrize("fault", ["error", "denied", "silent", "html", "half_body"])
async def test_without_the_skills_engine_the_gaps_own_skills_go_on(
    embedded_service: KafkaUnderTest, world: World, fault: Fault
) -> None:
    world.engine.fault = fault
    settings = world.settings | {"skills_engine_timeout_seconds": 0.3}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert path["degraded"] is True
    assert taught(path) == {skill for named in FRONT_END.values() for skill in named} | {
        f"{name} by hand" for name in FRONT_END
    }


@pytest.mark.parametrize("fault", ["error", "denied", "silent"])
async def test_without_the_content_service_the_path_has_no_resources(
    embedded_service: KafkaUnderTest, world: World, fault: Fault
) -> None:
    world.content.fault = fault
    settings = world.settings | {"content_service_timeout_seconds": 0.3}
    async with gap_worker(embedded_service, **settings) as (_, lab):
        await lab.gap(gap_event())
        (path,) = await lab.read(LEARNING_PATH, 1)
    assert (path["degraded"], path["available_resources"], path["mastery_scores"]) == (True, [], {})
    assert taught(path) >= {skill for named in FRONT_END.values() for skill in named}


async def test_ten_learners_updates_run_at_once(embedded_service: KafkaUnderTest, world: World) -> None:
    """The model answers nobody before ten calls are there at the same time."""
    world.gemini.modes[:], world.gemini.hold_until = ["held"], 10
    learners = [f"learner-{number}" for number in range(10)]
    async with gap_worker(embedded_service, **world.settings) as (_, lab):
        await lab.gap(*(gap_event(learner) for learner in learners))
        paths = await lab.read(LEARNING_PATH, 10)
    assert world.gemini.most_at_once == 10
    assert sorted(path["user_id"] for path in paths) == learners


async def test_two_updates_of_one_learner_never_run_at_once(embedded_service: KafkaUnderTest, world: World) -> None:
    """Neither of one competency nor of two: all were there before the first was answered, and each had its turn."""
    world.gemini.modes[:], world.gemini.slow_seconds = ["slow"], 0.05
    gaps = [{"Front End": [f"MGS_{number}"]} for number in range(3)]
    events = [gap_event(gap=gap, competency_target_name=name) for gap in gaps for name in ("React", "Vue")]
    lab = GapLab(embedded_service)
    await lab.gap(*events)
    async with gap_worker(embedded_service, **world.settings):
        paths = await lab.read(LEARNING_PATH, 6)
    assert world.gemini.most_at_once == 1
    assert [(path["competency_target_name"], path["revision"]) for path in paths] == [
        (name, revision) for revision in (1, 2, 3) for name in ("React", "Vue")
    ]


def taught(path: dict[str, Any]) -> set[str]:
    return {skill for step in path["learning_path"]["steps"] for skill in step["skills_covered"]}
