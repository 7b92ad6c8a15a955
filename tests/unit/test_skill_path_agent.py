"""The three prompts of a skills gap: whatever the model answers, the gap gets closed and nothing learned is taught."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from agents.gap_profile import gap_profile, gap_recommendations, worded
from agents.planner import Planner
from agents.skill_path import MOST_COMPETENCIES, GapView, PathBasis, SkillPathAgent, learned_in
from clients.llm.gemini import GeminiModel
from schemas.gap import Skills, SkillsGapEvent, competency_key
from schemas.outputs import Resource
from tests.gap_answers import EXPANSION, NAMES, PLAN
from tests.gemini_server import schema_of

RESOURCES = [
    Resource(resourceId="res-1", name="Hooks in an evening"),
    Resource(resourceId="RES-2", name="Grid by example", conceptId="grid"),
]
skill_names = st.sampled_from(["hooks", "Hooks", "HOOKS ", "grid", "état", "async", "tests", "", "res-1"])
competencies = st.sampled_from(["Front", "FRONT", " front ", "Back", "Tools", "Ärger", "A\u0308rger", "Invented"])
references = st.sampled_from(["res-1", "res-2", "Hooks in an Evening ", "invented", ""])
gap_skills = st.dictionaries(
    competencies,
    st.lists(skill_names.filter(str.strip), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)
names = competencies | st.just("")
steps = st.lists(
    st.fixed_dictionaries(
        {
            "step_number": st.integers(-1, 99),
            "title": st.sampled_from(["One", "Two", ""]),
            "description": st.just("Do it."),
            "estimated_duration": st.just("1 week"),
            "resources": st.lists(references, max_size=3),
            "skills_covered": st.lists(skill_names, max_size=4),
        }
    ),
    max_size=4,
)
answers = st.fixed_dictionaries(
    {
        EXPANSION: st.fixed_dictionaries(
            {
                "competencies": st.lists(
                    st.fixed_dictionaries({"competency": names, "skills": st.lists(skill_names, max_size=5)}),
                    max_size=5,
                )
            }
        ),
        NAMES: st.fixed_dictionaries({"competencies": st.lists(names, max_size=6)}),
        PLAN: st.fixed_dictionaries(
            {
                "goal": st.just("Learn"),
                "difficulty_level": st.sampled_from(["beginner", "wizard"]),
                "total_duration": st.just("2 weeks"),
                "steps": steps,
                "summary": st.sampled_from(["", "In the model's words."]),
                "reasons": st.lists(
                    st.fixed_dictionaries({"skill": skill_names, "reason": st.just("So.")}), max_size=3
                ),
            }
        ),
    }
)


class Gemini:
    """The real adapter on a transport that answers by the schema asked for."""

    def __init__(self) -> None:
        self.answers: Mapping[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        self.model = GeminiModel(self.http, api_key=SecretStr("k3y"), model="gemini-test", base_url="http://gemini")

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        content = {"role": "model", "parts": [{"text": json.dumps(self.answers[schema_of(body)])}]}
        return httpx2.Response(200, json={"candidates": [{"content": content, "finishReason": "STOP"}]})


class World(NamedTuple):
    """An agent with its model, on a loop of its own."""

    runner: asyncio.Runner
    gemini: Gemini
    agent: SkillPathAgent


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        gemini = Gemini()
        yield World(runner, gemini, SkillPathAgent(Planner(model=gemini.model)))
        runner.run(gemini.http.aclose())


def gap_of(sent: Skills, learned: list[str]) -> GapView:
    """A gap as the schema gives it: one spelling a competency."""
    event = {"user_id": "u", "company_id": "c", "competency_target_name": "React", "gap": sent}
    skills = SkillsGapEvent.model_validate(event).gap
    assert skills
    missing = {skill for named in skills.values() for skill in named}
    return GapView(target="React", skills=skills, learned=[skill for skill in learned if skill not in missing])


@pytest.mark.timeout(180)  # three thousand answers through the SDK: ten seconds of a core that nobody else wants
@settings(max_examples=400)
@given(gap_skills, st.lists(skill_names, max_size=3), answers)
def test_whatever_the_model_answers_the_gap_gets_closed_and_nothing_learned_is_taught(
    world: World, sent: Skills, learned: list[str], given_answers: Mapping[str, Any]
) -> None:
    world.gemini.answers = given_answers
    gap = gap_of(sent, learned)
    is_learned = learned_in(gap)

    expanded = world.runner.run(world.agent.expand(gap)).value
    by_key = {competency_key(name): named for name, named in expanded.items()}
    assert len(by_key) == len(expanded), "a competency under two spellings"
    for name, named in gap.skills.items():
        assert name in expanded, "another spelling than the gap's"
        assert set(named) <= set(expanded[name]), "a skill of the gap is lost"
    everything = [skill for named in expanded.values() for skill in named]
    assert not [skill for skill in everything if is_learned(skill) or not skill.strip()]
    assert all(len(set(named)) == len(named) > 0 for named in expanded.values())

    identified = world.runner.run(world.agent.identify(gap, expanded)).value
    assert set(identified) <= set(expanded)
    assert len(set(identified)) == len(identified) > 0

    profile = gap_profile(gap.skills, learned=gap.learned, added=[], mastery={})
    recommended = gap_recommendations(gap.skills, {}, RESOURCES)
    basis = PathBasis(skills=expanded, resources=RESOURCES, mastery={}, profile=profile, recommendations=recommended)
    planned = world.runner.run(world.agent.plan(gap, basis))
    plan = planned.value
    assert [step.step_number for step in plan.steps] == list(range(1, len(plan.steps) + 1))
    assert {resource for step in plan.steps for resource in step.resources} <= {"res-1", "RES-2"}
    taught = {skill for step in plan.steps for skill in step.skills_covered}
    assert not [skill for skill in taught if is_learned(skill)]
    if planned.degraded:
        assert taught == set(everything)
    _, reasoned = worded(profile, recommended, plan)
    assert [each.skill for each in reasoned] == [each.skill for each in recommended]


def test_a_skill_of_the_gap_is_taught_although_one_in_other_capitals_was_learned(world: World) -> None:
    step = {"step_number": 1, "title": "One", "description": "Do.", "estimated_duration": "1 day"}
    plan = {"goal": "Learn", "difficulty_level": "beginner", "total_duration": "1 day"}
    world.gemini.answers = {PLAN: plan | {"steps": [step | {"skills_covered": ["Hooks"]}]}}
    gap = GapView(target="React", skills={"Front": ["Hooks"]}, learned=["hooks", "grid"])
    basis = PathBasis(
        skills=gap.skills,
        resources=[],
        mastery={},
        profile=gap_profile(gap.skills, learned=gap.learned, added=[], mastery={}),
        recommendations=[],
    )
    assert not world.runner.run(world.agent.plan(gap, basis)).degraded


def test_a_plan_that_teaches_what_is_learned_is_asked_for_again(world: World) -> None:
    step = {"step_number": 1, "title": "One", "description": "Do.", "estimated_duration": "1 day"}
    plan = {"goal": "Learn", "difficulty_level": "beginner", "total_duration": "1 day"}
    world.gemini.answers = {PLAN: plan | {"steps": [step | {"skills_covered": ["GRID"]}]}}
    world.gemini.asked.clear()
    gap = GapView(target="React", skills={"Front": ["hooks"]}, learned=["grid"])
    profile = gap_profile(gap.skills, learned=gap.learned, added=[], mastery={})
    basis = PathBasis(skills=gap.skills, resources=[], mastery={}, profile=profile, recommendations=[])
    planned = world.runner.run(world.agent.plan(gap, basis))
    assert (planned.degraded, planned.generated_by) == (True, "offline")
    assert len(world.gemini.asked) == 3
    assert "GRID is learned already" in json.dumps(world.gemini.asked[-1])


def test_no_prompt_shows_more_competencies_than_an_answer_may_name(world: World) -> None:
    """A model that does as it is told, and brings all of them back, has to fit its schema."""
    gap = gap_of({f"Competency {number}": [f"skill {number}"] for number in range(200)}, [])
    shown = [{"competency": name, "skills": named} for name, named in list(gap.skills.items())[:MOST_COMPETENCIES]]
    world.gemini.answers = {EXPANSION: {"competencies": shown}}
    world.gemini.asked.clear()
    expanded = world.runner.run(world.agent.expand(gap))
    assert not expanded.degraded
    assert expanded.value == gap.skills
    (asked,) = world.gemini.asked
    text = asked["contents"][0]["parts"][0]["text"].removeprefix("<data>\n").removesuffix("\n</data>")
    assert json.loads(text)["gap"] == {each["competency"]: each["skills"] for each in shown}
    assert json.loads(text)["more_skills_exist"] is True
