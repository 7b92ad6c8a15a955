"""The planner without a model for a skills gap: every missing skill, once, in at most twelve steps."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from clients.content_service_stub import mastery_for, resources_for
from clients.llm.gap_offline import MOST_STEPS, plain_name, plan_gap_offline
from schemas.decisions import GapPathPlan
from schemas.gap import Skills
from schemas.outputs import Resource
from tests.unit.test_study_time import days_in

CATALOGUE = [Resource.model_validate(entry) for entry in resources_for("anyone")]


def one_form(text: str) -> str:
    return " ".join(text.split())


_names = (
    st.sampled_from(["MGS_Python_Basics", "python", "SQL joins", "mgs_", "Competency_-", "技能", "\u200b", "x" * 300])
    | st.text(min_size=1, max_size=20).map(one_form).filter(bool)
    | st.integers(0, 40).map("MGS_Skill_{}".format)
)
_gaps = st.dictionaries(_names, st.lists(_names, min_size=1, max_size=30), min_size=1, max_size=25)
_resources = st.lists(
    st.builds(
        Resource,
        resourceId=st.text(min_size=1, max_size=8),
        name=_names,
        type=st.sampled_from(["video", ""]),
        description=st.text(max_size=40),
        conceptId=st.none() | _names,
    ),
    max_size=10,
) | st.just(CATALOGUE)
_mastery = st.dictionaries(_names, st.floats(0, 1), max_size=8) | st.just(mastery_for("anyone"))


@settings(max_examples=400)
@given(_names, _gaps, _resources, _mastery)
@example("React", {f"C{n}": [f"MGS_{n}_{m}" for m in range(100)] for n in range(50)}, CATALOGUE, {})
@example("React", {f"C{n}": [f"MGS_{n}"] for n in range(5_000)}, [], {})
def test_any_gap_gives_a_sound_plan(
    target: str, gap: Skills, resources: list[Resource], mastery: dict[str, float]
) -> None:
    plan = plan_gap_offline(target, gap, resources, mastery)

    assert plan_gap_offline(target, gap, resources, mastery) == plan, "deterministic"
    assert GapPathPlan.model_validate(plan.model_dump()) == plan
    assert [step.step_number for step in plan.steps] == list(range(1, len(plan.steps) + 1))
    assert 1 <= len(plan.steps) <= MOST_STEPS
    covered = [skill for step in plan.steps for skill in step.skills_covered]
    assert sorted(covered) == sorted({skill for named in gap.values() for skill in named})
    assert sum(days_in(step.estimated_duration) for step in plan.steps) == days_in(plan.total_duration) > 0
    offered = {resource.resourceId for resource in resources}
    assert all(offered.issuperset(step.resources) and len(step.resources) <= 3 for step in plan.steps)
    titles: list[str] = []
    for step in plan.steps:
        assert set(step.prerequisites) <= set(titles)
        titles.append(step.title)


_called = st.integers(0, 40).map("Competency_{}_of_a_web_developer".format)


@given(st.dictionaries(_called, st.lists(_names, min_size=1, max_size=30), min_size=1, max_size=25))
@example({"Large": [f"MGS_{n}" for n in range(100)]} | {f"Small_{n}": [f"small_{n}"] for n in range(12)})
def test_a_step_is_named_after_the_competency_that_its_first_skill_belongs_to(gap: Skills) -> None:
    for step in plan_gap_offline("React", gap).steps:
        owner = next(name for name, named in gap.items() if step.skills_covered[0] in named)
        assert step.title.startswith(plain_name(owner))


@given(st.dictionaries(_names, st.lists(_names, min_size=1, max_size=30), min_size=1, max_size=MOST_STEPS))
def test_no_step_mixes_competencies_unless_there_are_more_of_them_than_steps(gap: Skills) -> None:
    for step in plan_gap_offline("React", gap).steps:
        assert any(set(step.skills_covered) <= set(named) for named in gap.values())


def test_a_smaller_gap_gives_a_shorter_path() -> None:
    skills = [f"MGS_Skill_{number}" for number in range(10)]
    whole, rest = plan_gap_offline("React", {"Front": skills}), plan_gap_offline("React", {"Front": skills[:3]})
    assert len(rest.steps) < len(whole.steps)
    assert days_in(rest.total_duration) < days_in(whole.total_duration)
