"""Where a learner with a gap stands and what to do next (seed 001), computed from gap, mastery and resources."""

from collections.abc import Mapping, Sequence

from agents.profile import MOST_RECOMMENDATIONS, listed, profile_of
from clients.llm.gap_offline import plain_name, resources_for
from schemas.decisions import GapPathPlan
from schemas.gap import Skills
from schemas.outputs import Profile, Recommendation, Resource

MOST_NAMED = 100
"""Strengths and weaknesses in a profile; the summary counts them all."""


def gap_profile(
    skills: Skills, *, learned: Sequence[str], added: Sequence[str], mastery: Mapping[str, float]
) -> Profile:
    """Sum up: what the gap's changes showed to be learned, and what is missing, what is newly missing first.

    Mastered concepts of the content service are strengths as well, unless they are missing: the gap is the truth.
    """
    missing = _flat(skills)
    strengths = [skill for skill in dict.fromkeys([*learned, *profile_of(mastery).strengths]) if skill not in missing]
    newly = set(added)
    weaknesses = sorted(missing, key=lambda skill: skill not in newly)
    parts = [f"Missing: {listed([plain_name(skill) for skill in weaknesses])}."] if missing else ["Nothing is missing."]
    if learned:
        parts.append(f"Learned so far: {listed([plain_name(skill) for skill in learned])}.")
    if added and learned:
        parts.append(f"New in this gap: {listed([plain_name(skill) for skill in added])}.")
    return Profile(strengths=strengths[:MOST_NAMED], weaknesses=weaknesses[:MOST_NAMED], summary=" ".join(parts))


def gap_recommendations(
    skills: Skills, mastery: Mapping[str, float], resources: Sequence[Resource]
) -> list[Recommendation]:
    """Recommend missing skills, one competency after the other, each with up to three resources; at most ten."""
    chosen = list(_flat(skills).items())[:MOST_RECOMMENDATIONS]
    offers = resources_for([skill for skill, _ in chosen], resources, mastery)
    return [
        Recommendation(
            skill=skill,
            priority=priority,
            reason=_reason(skill, competency, offered, mastery),
            resource_ids=list(offered),
        )
        for priority, ((skill, competency), offered) in enumerate(zip(chosen, offers, strict=True), start=1)
    ]


def worded(
    profile: Profile, recommendations: Sequence[Recommendation], plan: GapPathPlan
) -> tuple[Profile, list[Recommendation]]:
    """The same facts in the model's words, where it found any: nothing but `summary` and `reason` is its own."""
    reasons = {reason.skill: reason.reason for reason in plan.reasons}
    return (
        profile.model_copy(update={"summary": plan.summary or profile.summary}),
        [
            each.model_copy(update={"reason": reasons[each.skill]}) if each.skill in reasons else each
            for each in recommendations
        ],
    )


def _flat(skills: Skills) -> dict[str, str]:
    """Each skill once, with the first competency that lacks it."""
    found: dict[str, str] = {}
    for competency, named in skills.items():
        for skill in named:
            found.setdefault(skill, competency)
    return found


def _reason(skill: str, competency: str, offered: Sequence[str], mastery: Mapping[str, float]) -> str:
    known = mastery.get(skill)
    standing = f", and your mastery of it is {known:.0%}" if known is not None else ""
    nothing = "" if offered else " Nothing on offer covers it."
    return f"{plain_name(competency)} lacks it{standing}.{nothing}"
