"""Where a learner stands and what to do next (seed 001's ProfileAgent and RecommenderAgent), computed.

Strengths, gaps and priorities come from mastery and resources alone; the wording is a template's.
"""

import re
from collections.abc import Mapping, Sequence

from clients.llm.study_choice import WEAK, choose
from clients.llm.study_topics import MASTERED, Topic
from schemas.events import Level
from schemas.outputs import Profile, Recommendation, Resource

MOST_RECOMMENDATIONS = 10
_MOST_RESOURCES = 3
_NAMED = 3
_OTHER_GAP = "You master what serves your goal; this is another of your gaps"
_ONLY_GAP = "Nothing on offer serves your goal; this is one of your gaps"


def profile_of(mastery: Mapping[str, float]) -> Profile:
    """Sum up a learner's mastery: strengths from 0.8, strongest first; weaknesses below 0.5, weakest first.

    Both name concepts as the content service does.
    """
    ranked = sorted(mastery.items(), key=lambda entry: (-entry[1], entry[0]))
    strengths = [name for name, score in ranked if score >= MASTERED]
    weaknesses = [name for name, score in reversed(ranked) if score < WEAK]
    between = [name for name, score in ranked if WEAK <= score < MASTERED]
    return Profile(strengths=strengths, weaknesses=weaknesses, summary=_summary(strengths, between, weaknesses))


def recommendations_for(
    goal: str,
    mastery: Mapping[str, float],
    resources: Sequence[Resource],
    *,
    current_level: Level = "beginner",
    wishes: Sequence[str] = (),
) -> list[Recommendation]:
    """Recommend what the offline planner would teach, in its order, each with up to three resources.

    Where nothing is left to learn for the goal, the assessed gaps, the weakest first. At most ten, priority 1
    first.
    """
    choice = choose(goal=goal, current_level=current_level, wishes=wishes, resources=resources, mastery=mastery)
    if choice.to_learn:
        chosen, why = choice.to_learn, "It serves your goal"
    else:
        gaps = [topic for topic in choice.topics if topic.mastery is not None and not topic.mastered]
        chosen = sorted(gaps, key=lambda topic: (topic.mastery or 0.0, topic.place))
        why = _OTHER_GAP if choice.serving else _ONLY_GAP
    return [
        Recommendation(
            skill=topic.assessed_as or _concept_of(topic) or topic.title,
            priority=priority,
            reason=_reason(topic, chosen, why),
            resource_ids=[resource.resourceId for resource in topic.resources[:_MOST_RESOURCES]],
        )
        for priority, topic in enumerate(chosen[:MOST_RECOMMENDATIONS], start=1)
    ]


def _concept_of(topic: Topic) -> str | None:
    return topic.resources[0].conceptId if topic.resources else None


def _reason(topic: Topic, others: Sequence[Topic], why: str) -> str:
    if topic.mastery is None:
        standing = "and has not been assessed yet"
    elif topic.mastery < WEAK:
        standing = f"and your mastery is low ({topic.mastery:.0%})"
    else:
        standing = f"and little is missing ({topic.mastery:.0%})"
    waiting = sum(topic.key in other.prerequisites for other in others)
    builds = f"; {_count(waiting, 'other topic')} on your way {'builds' if waiting == 1 else 'build'} on it"
    nothing = "" if topic.resources else " Nothing on offer covers it."
    return f"{why} {standing}{builds if waiting else ''}.{nothing}"


def _summary(strengths: Sequence[str], between: Sequence[str], weaknesses: Sequence[str]) -> str:
    if not (strengths or between or weaknesses):
        return "Nothing has been assessed yet, so the path starts from the stated level."
    parts = []
    if strengths:
        parts.append(f"Strong in {listed(strengths)}.")
    if between:
        parts.append(f"On the way in {listed(between)}.")
    if weaknesses:
        parts.append(f"Most to gain in {listed(weaknesses)}.")
    return " ".join(parts)


def listed(names: Sequence[str]) -> str:
    """Say a list in words, at most three of it by name."""
    shown = [" ".join(re.split(r"[-_\s]+", name)).strip() for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    words = [*shown, *more]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
