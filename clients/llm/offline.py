"""The planner without a model: a learning path from the catalogue and mastery, the same every time.

Used when no key is set, and by the agents when the model fails. The steps are topics that serve the goal, in
a learnable order, without what is mastered; when nothing on offer serves the goal, a general progression.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from clients.llm.study_choice import choose
from clients.llm.study_steps import Step, closing_step, general_steps, topic_step
from clients.llm.study_texts import preferred_kinds, spelling_of, wished_topics
from clients.llm.study_time import StudyTime, days_for, parse_study_time, say_days
from clients.llm.study_topics import Topic, in_order
from schemas.decisions import PathPlan, PathStep
from schemas.events import Level
from schemas.outputs import Resource

MAX_TOPICS = 12
_FEWEST_TOPICS = 3
_MORE_THAN_FITS = 1.25  # of the hours there are: an estimate that is a little over still fits


def plan_offline(
    *,
    goal: str,
    current_level: Level = "beginner",
    preferences: Mapping[str, Any] | None = None,
    available_time: str = "flexible",
    resources: Sequence[Resource] = (),
    mastery: Mapping[str, float] | None = None,
) -> PathPlan:
    """Plan a path; never fails. `steps[].resources` are ids of `resources`, durations add up to the total."""
    wishes = wished_topics(preferences or {})
    time = parse_study_time(available_time)
    choice = choose(
        goal=goal,
        current_level=current_level,
        wishes=wishes,
        resources=resources,
        mastery=mastery or {},
    )
    if choice.to_learn:
        steps = _topic_steps(choice.to_learn, goal, preferences or {}, resources, time)
    elif choice.serving:
        steps = _consolidation(choice.serving, goal, preferences or {}, resources)
    else:
        steps = general_steps(goal, current_level, wishes)
    return _plan(goal, current_level, steps, time)


def _topic_steps(
    topics: Sequence[Topic],
    goal: str,
    preferences: Mapping[str, Any],
    resources: Sequence[Resource],
    time: StudyTime,
) -> list[Step]:
    """Turn the first topics into steps, as many as the time allows, and close with one that uses them."""
    kinds, spelling = preferred_kinds(preferences), spelling_of(resources)
    steps: dict[str, Step] = {}
    for topic in topics[:MAX_TOPICS]:
        before = tuple(steps[key].title for key in topic.prerequisites if key in steps)
        step = topic_step(topic, kinds=kinds, spelling=spelling, before=before)
        steps[topic.key] = _untaken(step, steps)
        if not _fits(list(steps.values()), time):
            steps.pop(topic.key)
            break
    done = list(steps.values())
    return [*done, closing_step(goal, done)] if len(done) > 1 and _room_for_one_more(done, time) else done


def _fits(steps: Sequence[Step], time: StudyTime) -> bool:
    if time.weeks is None or len(steps) == 1:
        return True
    days = round(time.weeks * 7)
    hours = sum(step.hours for step in steps)
    short = len(steps) <= _FEWEST_TOPICS or hours <= time.hours_per_week * time.weeks * _MORE_THAN_FITS
    return len(steps) <= days and short


def _room_for_one_more(steps: Sequence[Step], time: StudyTime) -> bool:
    return time.weeks is None or len(steps) < round(time.weeks * 7)


def _consolidation(
    topics: Sequence[Topic], goal: str, preferences: Mapping[str, Any], resources: Sequence[Resource]
) -> list[Step]:
    """Everything that serves the goal is mastered: refresh the least firm topics, then put them to work."""
    kinds, spelling = preferred_kinds(preferences), spelling_of(resources)
    shakiest = sorted(topics, key=lambda topic: (topic.mastery or 0.0, topic.place))[:_FEWEST_TOPICS]
    steps: dict[str, Step] = {}
    for topic in in_order(shakiest):
        steps[topic.key] = _untaken(topic_step(topic, kinds=kinds, spelling=spelling, before=()), steps)
    return [*steps.values(), closing_step(goal, list(steps.values()))]


def _untaken(step: Step, steps: Mapping[str, Step]) -> Step:
    """Number a title that another step has: prerequisites name steps by title."""
    taken = {other.title for other in steps.values()}
    number, title = 1, step.title
    while title in taken:
        number += 1
        title = f"{step.title} ({number})"
    return step if title == step.title else step.titled(title)


def _plan(goal: str, level: Level, steps: Sequence[Step], time: StudyTime) -> PathPlan:
    days = days_for([step.hours for step in steps], time)
    return PathPlan(
        goal=goal.strip() or "A learning goal of your own",
        difficulty_level=level,
        total_duration=say_days(sum(days)),
        steps=[
            PathStep(
                step_number=number,
                title=step.title,
                description=step.description,
                estimated_duration=say_days(share),
                resources=list(step.resources),
                prerequisites=list(step.before),
                skills_covered=list(step.skills),
            )
            for number, (step, share) in enumerate(zip(steps, days, strict=True), start=1)
        ],
    )
