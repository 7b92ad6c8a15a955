"""One choice of topics: plan and recommendations never contradict each other, whoever the learner is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.profile import MOST_RECOMMENDATIONS, recommendations_for
from clients.content_service_stub import mastery_for, resources_for
from clients.llm import study_resources
from clients.llm.offline import MAX_TOPICS, plan_offline
from clients.llm.study_choice import Choice, choose
from clients.llm.study_resources import read
from clients.llm.study_texts import wished_topics
from clients.llm.study_topics import find_topics
from consumers.demo import LEARNERS
from schemas.decisions import PathPlan
from schemas.events import Level
from schemas.outputs import Recommendation, Resource
from tests.unit.test_offline_planner import CATALOGUE, planner_inputs

CLOSING = ["Application in practice"]
LEVELS: tuple[Level, ...] = ("beginner", "intermediate", "advanced")
GOALS = [goal for goal, *_ in LEARNERS.values()]


def choice_for(goal: str, level: Level, mastery: dict[str, float]) -> Choice:
    return choose(goal=goal, current_level=level, wishes=[], resources=CATALOGUE, mastery=mastery)


def recommended_for(inputs: dict[str, Any]) -> list[Recommendation]:
    return recommendations_for(
        inputs["goal"],
        inputs["mastery"],
        inputs["resources"],
        current_level=inputs["current_level"],
        wishes=wished_topics(inputs["preferences"]),
    )


def assert_agreement(inputs: dict[str, Any], plan: PathPlan, recommended: list[Recommendation]) -> None:
    """The plan's steps and the recommendations are about the same topics in the same order."""
    topic_of = {
        resource.resourceId: topic.key
        for topic in find_topics(inputs["resources"], inputs["mastery"])
        for resource in topic.resources
    }
    taught = [{topic_of[name] for name in step.resources} for step in plan.steps if step.skills_covered != CLOSING]
    named = [{topic_of[name] for name in entry.resource_ids} for entry in recommended]
    both = min(len(taught), len(named))
    assert taught[:both] == named[:both]
    if inputs["available_time"] == "flexible":
        assert len(named) == min(len(taught), MOST_RECOMMENDATIONS)


@settings(max_examples=300, deadline=None)
@given(planner_inputs)
def test_any_plan_begins_with_what_is_recommended_first(inputs: dict[str, Any]) -> None:
    inputs["resources"] = list({resource.resourceId: resource for resource in inputs["resources"]}.values())
    plan, recommended = plan_offline(**inputs), recommended_for(inputs)

    if any("It serves your goal" in entry.reason for entry in recommended):
        assert_agreement(inputs, plan, recommended)
    else:
        assert all("this is" in entry.reason for entry in recommended), "says why it is not in the plan"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(GOALS),
    st.sampled_from(LEVELS),
    st.sampled_from(["flexible", "1 hour/day", "3 days", "2 weeks", "10 hours/week"]),
    st.dictionaries(st.sampled_from(sorted({r.conceptId or "" for r in CATALOGUE})), st.floats(0, 1)),
)
def test_plan_and_recommendations_of_a_real_catalogue_agree(
    goal: str, level: Level, time: str, mastery: dict[str, float]
) -> None:
    inputs: dict[str, Any] = {
        "goal": goal,
        "current_level": level,
        "preferences": {},
        "available_time": time,
        "resources": CATALOGUE,
        "mastery": mastery,
    }
    choice = choice_for(goal, level, mastery)

    assert choice.serving, "the stub knows every goal of the demo"
    assert bool(choice.to_learn) == any(not topic.mastered for topic in choice.serving)
    if choice.to_learn:
        assert_agreement(inputs, plan_offline(**inputs), recommended_for(inputs))


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_demos_learners_get_paths_of_more_than_one_step(learner: str) -> None:
    goal, level, available_time, preferences = LEARNERS[learner]
    inputs: dict[str, Any] = {
        "goal": goal,
        "current_level": level,
        "preferences": preferences,
        "available_time": available_time,
        "resources": CATALOGUE,
        "mastery": mastery_for(learner),
    }
    plan, recommended = plan_offline(**inputs), recommended_for(inputs)

    assert 1 < len(plan.steps) <= MAX_TOPICS + 1
    assert_agreement(inputs, plan, recommended)


def test_below_the_stated_level_only_gaps_are_chosen() -> None:
    mastery = {"python-basics": 0.54, "python-functions": 0.46, "data-visualisation": 0.03}

    chosen = [topic.key for topic in choice_for("Python for data analysis", "advanced", mastery).to_learn]

    assert chosen == ["python functions", "data visualisation"]


def test_a_single_topic_is_chosen_with_what_comes_right_before_it() -> None:
    goal, mastery = "Manage a software project and its stakeholders", {"stakeholder-communication": 0.54}

    chosen = [topic.key for topic in choice_for(goal, "intermediate", mastery).to_learn]
    known = choice_for(goal, "intermediate", mastery | {"project-planning": 0.9}).to_learn

    assert chosen == ["project planning", "stakeholder communication"]
    assert [topic.key for topic in known] == ["stakeholder communication"]


def test_a_level_above_the_catalogue_is_taken_lower_step_by_step() -> None:
    chosen = [topic.key for topic in choice_for("Learn Python", "advanced", {}).to_learn]

    assert chosen == ["python oop", "python testing"]


def test_a_catalogue_is_read_once_for_all_learners() -> None:
    signed = [entry | {"url": f"{entry['url']}?for=a"} for entry in resources_for("a")]
    catalogues = [[Resource.model_validate(entry) for entry in one] for one in (signed, resources_for("b"))]

    assert list(map(read, catalogues[0])) == list(map(read, catalogues[1])), "the same objects"
    assert study_resources._read.cache_info().maxsize, "of a bounded number"


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Excel"},
        {"description": "Sheets"},
        {"conceptId": "c"},
        {"level": "advanced"},
        {"topics": ["x"]},
        {"durationMinutes": True},
        {"duration": ["2 hours"]},
        {"prerequisites": "maths"},
    ],
)
def test_what_a_resource_says_otherwise_is_read_otherwise(other: dict[str, Any]) -> None:
    fields = {"resourceId": "1", "name": "Word", "durationMinutes": 1, "topics": [], "level": "easy"}
    one, two = Resource.model_validate(fields), Resource.model_validate(fields | other)

    assert read(one) is not read(two)
    assert (read(one).hours, read(one).level) == (1 / 60, 0)


def test_fields_of_any_shape_are_read() -> None:
    odd = {"a": [{}, 1, None], "tags": [{}, "sheets", ["deep"]], "level": {"of": 1}, "minutes": float("nan")}
    reading = read(Resource.model_validate({"resourceId": "1", "name": "Excel"} | odd))

    assert (list(reading.tag_words), reading.level, reading.hours) == (["sheets"], None, None)
