"""The offline planner's steps: what a learner is told to do about one topic, and what when there is none."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from clients.llm.study_resources import read
from clients.llm.study_texts import kind_of, one_line, sentence, titled
from clients.llm.study_topics import Topic
from schemas.events import Level
from schemas.outputs import Resource

_MOST_RESOURCES = 3
_HOURS_BY_LEVEL = (3.0, 5.0, 7.0)
_PRACTICE = 2.0  # an hour of material takes two to learn
_LEAST_HOURS, _MOST_HOURS = 0.5, 40.0
_CLOSING_SHARE = 0.25
_GENERAL_HOURS = 5.0

_GENERAL: Mapping[Level, tuple[tuple[str, str], ...]] = {
    "beginner": (
        ("Get an overview", "Find out what the field consists of, which words it uses and what comes first."),
        ("Learn the foundations", "Work through one good introduction from start to end; take notes."),
        ("Practise in small exercises", "Apply each idea to a small task of its own before going on."),
        ("Make something of your own", "Choose a small project that you care about and finish it."),
        ("Review and decide what comes next", "Note what is still hard, repeat that, and set the next goal."),
    ),
    "intermediate": (
        ("Find your gaps", "List what the goal demands and mark what you could not explain to a colleague."),
        ("Close the most important gaps", "Take the marked points in order of use, one after the other."),
        ("Do a project under real conditions", "Work on a task with users, data or a deadline."),
        ("Get feedback and improve", "Have somebody experienced look at the result, and rework it."),
    ),
    "advanced": (
        ("Set a demanding target", "Describe a result that would prove the goal, and how to measure it."),
        ("Study the hard parts in depth", "Read primary sources and compare how experts differ."),
        ("Do the demanding project", "Reach the target; write down each decision and its reason."),
        ("Pass it on", "Teach it, review others' work or publish what you found: it shows what is missing."),
    ),
}
_NOTHING_ON_OFFER = "No resource for this is known here, so choose material of your own."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step before the calendar: its effort in hours, `before` the titles of earlier steps it builds on."""

    title: str
    description: str
    hours: float
    resources: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()

    def titled(self, title: str) -> "Step":
        """Return the same step under another title."""
        return replace(self, title=title)


def topic_step(topic: Topic, *, kinds: Collection[str], spelling: Mapping[str, str], before: tuple[str, ...]) -> Step:
    """Turn one topic into a step with at most three of its resources, those of preferred `kinds` first."""
    title = titled(topic.title, spelling)
    chosen = sorted(topic.resources, key=lambda resource: kind_of(resource.type) not in kinds)[:_MOST_RESOURCES]
    hours = _hours(topic, chosen)
    told = [_about(title, chosen), _how(chosen), _standing(topic), f"Plan about {_say_hours(hours)}."]
    return Step(
        title=title,
        description=" ".join(part for part in told if part),
        hours=hours,
        resources=tuple(resource.resourceId for resource in chosen),
        before=before,
        skills=(title,),
    )


def closing_step(goal: str, steps: Sequence[Step]) -> Step:
    """Put what was learned to use: a quarter of the effort so far."""
    hours = max(round(sum(step.hours for step in steps) * _CLOSING_SHARE), 1)
    return Step(
        title="Put it all together",
        description=(
            f"Do one small project of your own that uses {_and([step.title for step in steps[-3:]])}"
            f" and serves your goal ({one_line(goal)}). Plan about {_say_hours(hours)}."
        ),
        hours=hours,
        before=tuple(step.title for step in steps[-3:]),
        skills=("Application in practice",),
    )


def general_steps(goal: str, level: Level, wishes: Sequence[str]) -> list[Step]:
    """Plan without any fitting resource, honestly: the learner's wished topics, or a general progression."""
    first, *rest = _GENERAL[level]
    if wishes:
        middle = [(wish, f"Learn {wish} and apply it to a small task before going on.") for wish in wishes]
        outline = [first, *middle, rest[-2]]
    else:
        outline = [first, *rest]
    steps: list[Step] = []
    for title, text in outline:
        taken = {step.title for step in steps}
        if title in taken:
            continue
        opening = f"Your goal: {sentence(goal)} {_NOTHING_ON_OFFER} " if not steps else ""
        steps.append(
            Step(
                title=title,
                description=f"{opening}{text} Plan about {_say_hours(_GENERAL_HOURS)}.",
                hours=_GENERAL_HOURS,
                before=(steps[-1].title,) if steps else (),
                skills=(title,) if title in wishes else (),
            )
        )
    return steps


def _about(title: str, chosen: Sequence[Resource]) -> str:
    """Say what the topic covers, when the catalogue says more than its title."""
    description = next((resource.description for resource in chosen if resource.description.strip()), "")
    return sentence(description) if one_line(description).casefold() != title.casefold() else ""


def _how(chosen: Sequence[Resource]) -> str:
    if not chosen:
        return _NOTHING_ON_OFFER
    named = [f'{_kind_word(resource)}"{one_line(resource.name)}"' for resource in chosen]
    later = f", then go on to {_and(named[1:])}" if len(named) > 1 else ""
    return f"Start with {named[0]}{later}."


def _kind_word(resource: Resource) -> str:
    kind = one_line(resource.type).casefold()
    return f"the {kind} " if kind.isalpha() else ""


def _standing(topic: Topic) -> str:
    if topic.mastery is None:
        return ""
    if topic.mastered:
        return f"You master this ({topic.mastery:.0%}): refresh it quickly and look for what is new to you."
    if topic.mastery >= 0.2:  # noqa: PLR2004 - below, there is nothing to build on
        return f"You are at {topic.mastery:.0%} here: pass over what you know and stay with what is new."
    return "This is new to you: take your time."


def _hours(topic: Topic, chosen: Sequence[Resource]) -> float:
    """Estimate the effort: the material's length with practice, or by level; less for what is half known."""
    lengths = [length for resource in chosen if (length := read(resource).hours) is not None]
    if lengths:
        whole = sum(lengths) * _PRACTICE * len(chosen) / len(lengths)
    else:
        whole = _HOURS_BY_LEVEL[1 if topic.level is None else topic.level]
    left = 1 - 0.7 * (topic.mastery or 0.0)
    return min(max(math.ceil(whole * left * 2) / 2, _LEAST_HOURS), _MOST_HOURS)


def _say_hours(hours: float) -> str:
    if hours < 1:
        return f"{round(hours * 60)} minutes"
    return "1 hour" if hours == 1 else f"{hours:g} hours"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
