"""From a skills gap to a learning path in three prompts (seed 000): expand, identify, plan.

Each is called by the flow inside a step of its own. Knows no topic, no learner and no company.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.learning_path import settled
from agents.path_prompt import measured, offer_data, within, without_mail
from agents.planner import Planned, Planner
from clients.llm.gap_offline import plain_name, plan_gap_offline
from schemas.decisions import CompetencyNames, GapPathPlan, SkillExpansion
from schemas.gap import ExamStatus, Skills, competency_key
from schemas.outputs import JsonObject, Profile, Recommendation, Resource

SKILLS_CHARS = 24_000  # about 6,000 tokens
MOST_COMPETENCIES = 40  # an answer may name 50
_LEARNED_CHARS = 6_000
_FEEDBACK_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GapView:
    """What a prompt may know of a gap."""

    target: str
    skills: Skills
    learned: Sequence[str] = ()
    exam_status: ExamStatus | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBasis:
    """What a path is planned from beside the gap: single skills, what is on offer, what was computed of the learner."""

    skills: Skills
    resources: Sequence[Resource]
    mastery: Mapping[str, float]
    profile: Profile
    recommendations: Sequence[Recommendation]
    feedback: str | None = None
    earlier_steps: Sequence[str] = ()


def learned_in(gap: GapView) -> Callable[[str], bool]:
    """Tell whether a skill is learned, however it is capitalised; one of the gap never is."""
    missing = {_folded(skill) for named in gap.skills.values() for skill in named}
    learned = {_folded(skill) for skill in gap.learned} - missing
    return lambda skill: _folded(skill) in learned


class SkillPathAgent:
    """Seed 000's three prompts."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    async def expand(self, gap: GapView) -> Planned[Skills]:
        """Prompt 1: the missing skills, with what they need, in competencies. Raises a ModelError as the planner does.

        Whatever the model answers, the gap's own skills are all there afterwards, and none that is learned.
        """
        return await self._planner.plan(
            "skill_expansion",
            lambda: _gap_data(gap, "gap", gap.skills),
            SkillExpansion,
            read=lambda expansion: _completed(gap, expansion),
            offline=lambda: gap.skills,
        )

    async def identify(self, gap: GapView, expanded: Skills) -> Planned[list[str]]:
        """Prompt 2: which of the competencies the path is about, in order. Raises a ModelError as the planner does."""
        names = {competency_key(name): name for name in expanded}

        def known(answer: CompetencyNames) -> list[str]:
            keys = dict.fromkeys(competency_key(name) for name in answer.competencies)
            return [names[key] for key in keys if key in names]

        return await self._planner.plan(
            "competency_identification",
            lambda: _gap_data(gap, "competencies", expanded),
            CompetencyNames,
            read=known,
            offline=lambda: list(expanded),
            check=lambda answer: None if known(answer) else "competencies: none of these names is in the data",
        )

    async def plan(self, gap: GapView, basis: PathBasis) -> Planned[GapPathPlan]:
        """Prompt 3: the path, its steps numbered from 1, with offered resources only, by id.

        It teaches nothing that is learned. Raises a ModelError as the planner does.
        """
        is_learned = learned_in(gap)

        def check(plan: GapPathPlan) -> str | None:
            taught = [skill for step in plan.steps for skill in step.skills_covered if is_learned(skill)]
            return f"skills_covered: {', '.join(taught[:3])} is learned already" if taught else None

        return await self._planner.plan(
            "gap_path",
            lambda: _path_data(gap, basis),
            GapPathPlan,
            read=lambda plan: settled(plan, basis.resources)[0],
            offline=lambda: plan_gap_offline(gap.target, basis.skills, basis.resources, basis.mastery),
            check=check,
        )


def _gap_data(gap: GapView, name: str, skills: Skills) -> JsonObject:
    shown = _shown(skills)
    return {
        "target": without_mail(gap.target),
        name: shown,
        "more_skills_exist": _count(shown) < _count(skills),
        "learned": within(_LEARNED_CHARS, measured(gap.learned)),
        "exam_failed": gap.exam_status == "FAIL",
        "language": gap.language,
    }


def _path_data(gap: GapView, basis: PathBasis) -> JsonObject:
    about = " ".join([gap.target, *(plain_name(skill) for named in basis.skills.values() for skill in named)])
    return {
        **_gap_data(gap, "skills", basis.skills),
        **offer_data(basis.resources, basis.mastery, relevant_to=about),
        "strengths": within(_LEARNED_CHARS, measured(basis.profile.strengths)),
        "weaknesses": within(_LEARNED_CHARS, measured(basis.profile.weaknesses)),
        "recommended": [each.skill for each in basis.recommendations],
        "feedback": without_mail(basis.feedback[:_FEEDBACK_CHARS]) if basis.feedback else None,
        "earlier_steps": list(basis.earlier_steps),
    }


def _shown(skills: Skills) -> Skills:
    """As many skills as fit a prompt and its answer, from the front."""
    shown: Skills = {}
    first = itertools.islice(skills.items(), MOST_COMPETENCIES)
    pairs = ((competency, skill) for competency, named in first for skill in named)
    for competency, skill in within(SKILLS_CHARS, _measured_pairs(pairs)):
        shown.setdefault(competency, []).append(skill)
    return shown


def _measured_pairs(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], int]]:
    last = None
    for competency, skill in pairs:
        yield (competency, skill), len(skill) + 3 + (len(competency) + 6 if competency != last else 0)
        last = competency


def _completed(gap: GapView, expansion: SkillExpansion) -> Skills:
    """The model's expansion, in its order, without what is learned and with what it left out of the gap."""
    is_learned = learned_in(gap)
    names = {competency_key(name): name for name in gap.skills}
    skills: Skills = {}
    for each in expansion.competencies:
        name = names.setdefault(competency_key(each.competency), each.competency)
        own = gap.skills.get(name, [])
        known = {_folded(skill): skill for skill in own}
        named = (known.get(_folded(skill), skill) for skill in each.skills if skill and not is_learned(skill))
        if merged := dict.fromkeys([*skills.get(name, []), *named, *own]):
            skills[name] = list(merged)
    return skills | {name: named for name, named in gap.skills.items() if name not in skills}


def _count(skills: Skills) -> int:
    return sum(map(len, skills.values()))


def _folded(text: str) -> str:
    return text.strip().casefold()
