"""The planner without a model: always a valid plan, and one that a learner would accept."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.content_service_stub import mastery_for, resources_for
from clients.llm.offline import plan_offline
from clients.llm.study_topics import MASTERED, Topic, find_topics, in_order
from clients.llm.study_words import normalised
from schemas.decisions import PathPlan
from schemas.events import Level
from schemas.outputs import Resource
from tests.unit.test_study_time import days_in

CATALOGUE = [Resource.model_validate(entry) for entry in resources_for("anyone")]

_WORDS = ["python", "python-basics", "SQL joins", "data", "Résumé", "c_17", "Ω", "学习", "a", "100"]
_text = st.one_of(st.sampled_from(_WORDS), st.text(max_size=40))
_resources = st.lists(
    st.builds(
        lambda **fields: Resource.model_validate(fields),
        resourceId=st.text(min_size=1, max_size=8),
        name=st.one_of(st.sampled_from(_WORDS), st.text(min_size=1, max_size=30)),
        type=st.sampled_from(["video", "article", "", "PODCAST", "course"]),
        description=_text,
        conceptId=st.none() | _text,
        level=st.none() | st.sampled_from(["beginner", "Advanced", "hard", 3]),
        durationMinutes=st.none() | st.integers(-5, 10**6) | st.floats(),
        duration=st.none() | _text,
        prerequisites=st.none() | st.lists(_text | st.integers(), max_size=3) | _text,
        topics=st.none() | st.lists(_text, max_size=3),
    ),
    max_size=25,
)
_preferences = st.dictionaries(
    st.sampled_from(["format", "topics", "learningStyle", "topic", "other"]),
    st.recursive(st.none() | st.integers() | _text, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
)
_goals = st.one_of(st.text(min_size=1, max_size=2000), st.sampled_from(["Learn Python", "data with SQL joins"]))
_times = st.one_of(
    st.sampled_from(["2 hours/day", "5h per week", "weekends", "flexible", "4 weeks", "1 day", "999999 months"]),
    st.text(max_size=60),
    st.from_regex(r"\d{1,9}[.,]?\d{0,3} ?(h|hours|min|weeks|days|Stunden)( ?(/|per|a) ?(day|week|month))?"),
)
_mastery = st.dictionaries(_text, st.floats(0, 1), max_size=10)
planner_inputs = st.fixed_dictionaries(
    {
        "goal": _goals,
        "current_level": st.sampled_from(["beginner", "intermediate", "advanced"]),
        "preferences": _preferences,
        "available_time": _times,
        "resources": _resources,
        "mastery": _mastery,
    }
)


@settings(max_examples=300, deadline=None)
@given(planner_inputs)
def test_any_input_gives_a_sound_plan(inputs: dict[str, Any]) -> None:
    plan = plan_offline(**inputs)

    assert plan_offline(**inputs) == plan, "deterministic"
    assert PathPlan.model_validate(plan.model_dump()) == plan
    assert [step.step_number for step in plan.steps] == list(range(1, len(plan.steps) + 1))
    assert plan.difficulty_level == inputs["current_level"]
    offered = {resource.resourceId for resource in inputs["resources"]}
    assert all(offered.issuperset(step.resources) for step in plan.steps)
    titles: list[str] = []
    for step in plan.steps:
        assert set(step.prerequisites) <= set(titles)
        titles.append(step.title)
    assert len(set(titles)) == len(titles)
    assert sum(days_in(step.estimated_duration) for step in plan.steps) == days_in(plan.total_duration) > 0


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(sorted({r.conceptId or "" for r in CATALOGUE}))), _times, _preferences)
def test_nothing_mastered_is_taught_unless_everything_is(
    mastered: set[str], time: str, preferences: dict[str, Any]
) -> None:
    subject = {r.conceptId or "" for r in CATALOGUE if (r.conceptId or "").startswith("python")}
    plan = plan_offline(
        goal="Learn Python",
        resources=CATALOGUE,
        mastery=dict.fromkeys(mastered, MASTERED),
        available_time=time,
        preferences=preferences,
    )

    taught = {resource_id for step in plan.steps for resource_id in step.resources}
    about = {r.conceptId for r in CATALOGUE if r.resourceId in taught}
    assert about <= subject
    assert not about & mastered or subject <= mastered


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3)), unique_by=lambda t: t[0]))
def test_prerequisites_come_first_where_they_can(edges: list[tuple[int, list[int]]]) -> None:
    topics = [
        Topic(key=str(key), title=str(key), place=place, prerequisites=tuple(str(p) for p in before if p < key))
        for place, (key, before) in enumerate(edges)
    ]

    order = [topic.key for topic in in_order(topics)]

    assert sorted(order) == sorted(topic.key for topic in topics)
    for topic in topics:
        for prerequisite in topic.prerequisites:
            if prerequisite in order:
                assert order.index(prerequisite) < order.index(topic.key)


def test_a_circle_of_prerequisites_still_ends() -> None:
    topics = [Topic(key=key, title=key, place=0, prerequisites=(other,)) for key, other in ("ab", "ba", "cc")]

    assert sorted(topic.key for topic in in_order(topics)) == ["a", "b", "c"]


def test_a_beginner_learns_python_from_the_front_and_skips_what_is_mastered() -> None:
    plan = plan_offline(
        goal="Learn Python programming",
        preferences={"format": "video", "topics": ["basics", "OOP"]},
        available_time="2 hours/day",
        resources=CATALOGUE,
        mastery={"python-basics": 0.9, "python-functions": 0.4},
    )

    titles = [step.title for step in plan.steps]
    assert titles[:3] == ["Python functions", "Python data structures", "Python OOP"]
    assert titles[-1] == "Put it all together"
    assert plan.steps[2].prerequisites == ["Python functions", "Python data structures"]
    assert "40%" in plan.steps[0].description


def test_preferred_formats_come_first() -> None:
    by_exercise = plan_offline(goal="python basics", preferences={"preferredFormat": ["hands-on"]}, resources=CATALOGUE)
    by_video = plan_offline(goal="python basics", preferences={"format": "video"}, resources=CATALOGUE)

    assert by_exercise.steps[0].resources[0] == "res-python-basics-2"
    assert by_video.steps[0].resources[0] == "res-python-basics-1"


def test_resources_without_a_concept_are_matched_by_name_to_mastery() -> None:
    resources = [
        Resource(resourceId="r1", name="Intro to Excel"),
        Resource(resourceId="r2", name="Excel pivot tables", type="article"),
        Resource(resourceId="r3", name="Excel charts"),
        Resource(resourceId="r4", name="Knitting socks"),
    ]
    plan = plan_offline(
        goal="get better at Excel", resources=resources, mastery={"pivot tables": 0.5, "Excel_Charts": 0.9}
    )

    assert [step.resources for step in plan.steps] == [["r1"], ["r2"], []]


@pytest.mark.parametrize("resources", [[], CATALOGUE])
def test_nothing_on_offer_for_the_goal_is_said_openly(resources: list[Resource]) -> None:
    plan = plan_offline(goal="Learn to cook Thai food", resources=resources)

    assert all(step.resources == [] for step in plan.steps)
    assert "No resource for this is known" in plan.steps[0].description
    assert len(plan.steps) >= 4


def test_wished_topics_shape_a_plan_without_resources() -> None:
    plan = plan_offline(goal="Learn Rust", preferences={"topics": ["ownership", "async"]})

    assert [step.title for step in plan.steps][1:3] == ["Ownership", "Async"]


def test_higher_levels_do_not_start_at_zero() -> None:
    plan = plan_offline(goal="Learn Python", current_level="intermediate", resources=CATALOGUE)

    assert [step.title for step in plan.steps][:2] == ["Python OOP", "Python testing"]


def test_a_short_time_gives_a_short_plan() -> None:
    long = plan_offline(goal="Learn Python", resources=CATALOGUE)
    short = plan_offline(goal="Learn Python", available_time="1 week", resources=CATALOGUE)

    assert len(short.steps) < len(long.steps)
    assert short.total_duration == "1 week"


@pytest.mark.parametrize("user_id", ["user_1", "user_2", "user_3"])
@pytest.mark.parametrize("level", ["beginner", "intermediate", "advanced"])
def test_every_stub_learner_gets_resources_for_a_known_subject(user_id: str, level: Level) -> None:
    plan = plan_offline(
        goal="Become a data analyst", current_level=level, resources=CATALOGUE, mastery=mastery_for(user_id)
    )

    assert any(step.resources for step in plan.steps)


def test_ten_thousand_resources_are_planned_in_a_moment() -> None:
    resources = [
        Resource(resourceId=str(n), name=f"Python part {n}", description=f"word{n} other{n % 97}")
        for n in range(10_000)
    ]
    plan = plan_offline(goal="Python", resources=resources, mastery={f"part {n}": 0.1 for n in range(5000)})

    assert plan.steps


def test_one_concept_under_many_spellings() -> None:
    spellings = ["Python_Functions", "python-functions", "pythonFunctions", " Python  functions "]

    assert {normalised(spelling) for spelling in spellings} == {"python functions"}
    [topic] = find_topics([Resource(resourceId="1", name="x", conceptId=spellings[0])], {spellings[2]: 0.25})
    assert topic.mastery == 0.25
