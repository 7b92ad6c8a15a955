"""Profile and recommendations: computed, in the content service's names."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.profile import profile_of, recommendations_for
from clients.content_service_stub import resources_for
from clients.llm.study_topics import MASTERED
from schemas.outputs import Resource

CATALOGUE = [Resource.model_validate(entry) for entry in resources_for("anyone")]


def test_strengths_and_weaknesses_by_score() -> None:
    profile = profile_of({"SQL_joins": 0.3, "python-basics": 0.9, "html-css": 0.6, "python-oop": 0.1, "git": 0.8})

    assert profile.strengths == ["python-basics", "git"]
    assert profile.weaknesses == ["python-oop", "SQL_joins"]
    assert profile.summary == (
        "Strong in python basics and git. On the way in html css. Most to gain in python oop and SQL joins."
    )


def test_nothing_assessed_is_said() -> None:
    profile = profile_of({})

    assert (profile.strengths, profile.weaknesses) == ([], [])
    assert "Nothing has been assessed" in profile.summary


def test_recommends_what_serves_the_goal_in_the_order_it_can_be_learned() -> None:
    mastery = {"Python-Basics": 0.9, "python-functions": 0.4, "sql-select": 0.0}

    recommended = recommendations_for("Learn Python", mastery, CATALOGUE)

    assert [r.skill for r in recommended] == [
        "python-functions",
        "python-data-structures",
        "python-oop",
        "python-testing",
    ]
    assert [r.priority for r in recommended] == [1, 2, 3, 4]
    assert recommended[0].resource_ids == ["res-python-functions-1", "res-python-functions-2"]
    assert recommended[0].reason == (
        "It serves your goal and your mastery is low (40%); 2 other topics on your way build on it."
    )


def test_without_anything_for_the_goal_the_gaps_come_weakest_first() -> None:
    recommended = recommendations_for("Cook Thai food", {"sql-joins": 0.7, "git": 0.2, "html-css": 1.0}, CATALOGUE)

    assert [r.skill for r in recommended] == ["git", "sql-joins"]
    assert "Nothing on offer covers it." in recommended[0].reason


@given(
    st.text(min_size=1, max_size=100),
    st.dictionaries(st.sampled_from([r.conceptId or "" for r in CATALOGUE]) | st.text(), st.floats(0, 1)),
    st.lists(st.sampled_from(CATALOGUE), unique_by=lambda r: r.resourceId),
)
def test_any_input_gives_sound_recommendations(goal: str, mastery: dict[str, Any], resources: list[Resource]) -> None:
    recommended = recommendations_for(goal, mastery, resources)

    offered = {resource.resourceId for resource in resources}
    assert [r.priority for r in recommended] == list(range(1, len(recommended) + 1))
    assert len(recommended) <= 10
    assert all(offered.issuperset(r.resource_ids) for r in recommended)
    assert all(mastery.get(r.skill, 0.0) < MASTERED for r in recommended)
    profile = profile_of(mastery)
    assert not set(profile.strengths) & set(profile.weaknesses)
