"""Profile and recommendations of a learner with a gap (seed 001): computed, the same whatever a model says of them."""

from hypothesis import given
from hypothesis import strategies as st

from agents.gap_profile import MOST_NAMED, gap_profile, gap_recommendations, worded
from agents.profile import MOST_RECOMMENDATIONS
from clients.content_service_stub import resources_for
from clients.llm.gap_offline import plan_gap_offline
from clients.llm.study_topics import MASTERED
from schemas.decisions import SkillReason
from schemas.gap import Skills
from schemas.outputs import Resource

CATALOGUE = [Resource.model_validate(entry) for entry in resources_for("anyone")]
_skills = st.sampled_from(["python-basics", "SQL joins", "MGS_Grid", "hooks", "état"]) | st.integers(0, 200).map(str)
_gaps = st.dictionaries(_skills, st.lists(_skills, min_size=1, max_size=60), min_size=1, max_size=5)
_mastery = st.dictionaries(_skills, st.floats(0, 1), max_size=20)


def missing_in(gap: Skills) -> list[str]:
    return list(dict.fromkeys(skill for named in gap.values() for skill in named))


@given(_gaps, st.lists(_skills, max_size=150, unique=True), st.lists(_skills, max_size=5), _mastery)
def test_the_gap_is_the_truth_about_strengths_and_weaknesses(
    gap: Skills, once_missing: list[str], added: list[str], mastery: dict[str, float]
) -> None:
    missing = missing_in(gap)
    learned = [skill for skill in once_missing if skill not in missing]
    profile = gap_profile(gap, learned=learned, added=added, mastery=mastery)

    newly = [skill for skill in missing if skill in added]
    assert profile.weaknesses == [*newly, *(skill for skill in missing if skill not in newly)][:MOST_NAMED]
    assert profile.strengths[: len(learned)] == learned[:MOST_NAMED]
    assert not set(profile.strengths) & set(missing)
    by_mastery = {skill for skill, score in mastery.items() if score >= MASTERED}
    assert set(profile.strengths) <= set(learned) | by_mastery
    assert len(set(profile.strengths)) == len(profile.strengths) <= MOST_NAMED
    assert ("Learned so far" in profile.summary) == bool(learned)


@given(_gaps, _mastery, st.sampled_from([[], CATALOGUE]))
def test_missing_skills_are_recommended_each_once_with_what_is_on_offer(
    gap: Skills, mastery: dict[str, float], resources: list[Resource]
) -> None:
    recommended = gap_recommendations(gap, mastery, resources)

    assert [each.skill for each in recommended] == missing_in(gap)[:MOST_RECOMMENDATIONS]
    assert [each.priority for each in recommended] == list(range(1, len(recommended) + 1))
    offered = {resource.resourceId for resource in resources}
    for each in recommended:
        assert offered.issuperset(each.resource_ids)
        assert len(each.resource_ids) <= 3
        assert each.reason
        assert ("Nothing on offer" in each.reason) == (not each.resource_ids)


@given(_gaps, _mastery, st.text(max_size=20), st.dictionaries(_skills, st.text(min_size=1, max_size=20), max_size=5))
def test_a_model_words_the_facts_and_changes_none(
    gap: Skills, mastery: dict[str, float], summary: str, reasons: dict[str, str]
) -> None:
    profile = gap_profile(gap, learned=[], added=[], mastery=mastery)
    recommended = gap_recommendations(gap, mastery, CATALOGUE)
    said = [SkillReason.model_construct(skill=skill, reason=reason) for skill, reason in reasons.items()]
    plan = plan_gap_offline("React", gap).model_copy(update={"summary": summary, "reasons": said})
    told, reasoned = worded(profile, recommended, plan)

    assert told.summary == (summary or profile.summary)
    assert told.model_copy(update={"summary": profile.summary}) == profile
    assert [each.reason for each in reasoned] == [reasons.get(each.skill, each.reason) for each in recommended]
    kept = [each.model_copy(update={"reason": ""}) for each in recommended]
    assert [each.model_copy(update={"reason": ""}) for each in reasoned] == kept


def test_a_mastered_concept_is_no_strength_while_the_gap_names_it() -> None:
    profile = gap_profile({"Data": ["sql"]}, learned=["grid"], added=[], mastery={"sql": 0.95, "python": 0.9})
    assert (profile.strengths, profile.weaknesses) == (["grid", "python"], ["sql"])
