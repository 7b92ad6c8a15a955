"""The planner without a model for a skills gap: a step for each few missing skills, the same every time."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from clients.llm.study_choice import relevance
from clients.llm.study_texts import one_line
from clients.llm.study_time import StudyTime, days_for, say_days
from clients.llm.study_topics import Topic, find_topics
from schemas.decisions import GapPathPlan, PathStep
from schemas.gap import Skills
from schemas.outputs import Resource

MOST_STEPS = 12
_SKILLS_PER_STEP = 3
_HOURS_PER_SKILL = 3.0
_MOST_HOURS_PER_STEP = 30.0
_MOST_RESOURCES = 3
_NAMED = 3
_KIND = re.compile(r"^(?:mgs|competency|skill|nano|micro|macro)[_\-\s]+", re.IGNORECASE)
_JOINTS = re.compile(r"[_\-\s]+")


def plan_gap_offline(
    target: str, skills: Skills, resources: Sequence[Resource] = (), mastery: Mapping[str, float] | None = None
) -> GapPathPlan:
    """Plan a path over every skill of `skills`, each once; there is at least one. Never fails.

    At most twelve steps: a large gap has more skills in each. `steps[].resources` are ids of `resources`.
    """
    groups = list(_groups(skills))
    offers = resources_for([" ".join((competency, *named)) for competency, named in groups], resources, mastery or {})
    hours = [min(_HOURS_PER_SKILL * len(named), _MOST_HOURS_PER_STEP) for _, named in groups]
    days = days_for(hours, StudyTime())
    steps: list[PathStep] = []
    last_title: dict[str, str] = {}
    for (competency, named), offered, share in zip(groups, offers, days, strict=True):
        steps.append(
            PathStep(
                step_number=len(steps) + 1,
                title=_title(competency, named),
                description=_description(competency, named, bool(offered)),
                estimated_duration=say_days(share),
                resources=list(offered),
                prerequisites=[last_title[competency]] if competency in last_title else [],
                skills_covered=list(named),
            )
        )
        last_title[competency] = steps[-1].title
    return GapPathPlan(
        goal=f"Close what is missing for {one_line(target)}",
        difficulty_level="intermediate",
        total_duration=say_days(sum(days)),
        steps=steps,
    )


def resources_for(
    texts: Sequence[str], resources: Sequence[Resource], mastery: Mapping[str, float]
) -> list[tuple[str, ...]]:
    """For each text, a skill or several, the ids of up to three resources that are about it, best first."""
    if not resources:
        return [()] * len(texts)
    topics = [topic for topic in find_topics(resources, mastery) if topic.resources]
    return [_best(topics, text) for text in texts]


def plain_name(name: str) -> str:
    """A skill's or competency's id as people say it: `MGS_React_Hooks_Advanced` is React Hooks Advanced."""
    return " ".join(_JOINTS.split(_KIND.sub("", name.strip()))).strip() or name


def _best(topics: Sequence[Topic], text: str) -> tuple[str, ...]:
    scores = relevance(topics, plain_name(text), ())
    ranked = sorted((topic for topic in topics if scores[topic.key]), key=lambda topic: -scores[topic.key])
    ids = [resource.resourceId for topic in ranked for resource in topic.resources]
    return tuple(ids[:_MOST_RESOURCES])


def _groups(skills: Skills) -> Iterator[tuple[str, Sequence[str]]]:
    """Skills in steps, never of two competencies unless there are more of these than steps; then named by the first."""
    skills = _once(skills)
    if len(skills) > MOST_STEPS:
        pairs = [(competency, skill) for competency, named in skills.items() for skill in named]
        size = math.ceil(len(pairs) / MOST_STEPS)
        for place in range(0, len(pairs), size):
            group = pairs[place : place + size]
            yield group[0][0], [skill for _, skill in group]
        return
    size = _SKILLS_PER_STEP
    while sum(math.ceil(len(named) / size) for named in skills.values()) > MOST_STEPS:
        size += max(1, size // 4)
    for competency, named in skills.items():
        for place in range(0, len(named), size):
            yield competency, named[place : place + size]


def _once(skills: Skills) -> Skills:
    """Each skill in the first competency that lacks it."""
    seen: set[str] = set()
    first: Skills = {}
    for competency, named in skills.items():
        if fresh := [skill for skill in dict.fromkeys(named) if skill not in seen]:
            first[competency] = fresh
            seen.update(fresh)
    return first


def _title(competency: str, named: Sequence[str]) -> str:
    about = ", ".join(plain_name(skill) for skill in named[:_NAMED])
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return one_line(f"{plain_name(competency)}: {about}{more}")


def _description(competency: str, named: Sequence[str], is_offered: bool) -> str:  # noqa: FBT001 - a yes or no
    count = "this skill" if len(named) == 1 else f"these {len(named)} skills"
    how = "Work through the resources" if is_offered else "No resource for this is known here: choose your own material"
    return f"{one_line(plain_name(competency))} still lacks {count}. {how}, then apply each of them to a small task."
