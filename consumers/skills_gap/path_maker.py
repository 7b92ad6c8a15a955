"""Makes a path from a gap: three prompts, the Skills Engine and the content service, each a durable step (seed 000)."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import structlog
from pydantic import BaseModel

from agents.gap_profile import gap_profile, gap_recommendations, worded
from agents.planner import Planned
from agents.skill_path import GapView, PathBasis, SkillPathAgent, learned_in
from clients.clock import Clock
from clients.content_service import ContentService
from clients.skills_engine import SkillsEngine
from consumers.engine.context import Context, Emission
from consumers.offer import Offer, read_offer
from consumers.path_output import progress
from consumers.skills_gap.records import Gap, Path
from schemas.decisions import GapPathPlan
from schemas.errors import SkillsEngineError
from schemas.gap import Skills
from schemas.outputs import Profile, Recommendation

_log = structlog.get_logger("pathstream.skills_gap")


class Expanded(BaseModel):
    """What prompt 1 gave."""

    skills: Skills
    degraded: bool


class Identified(BaseModel):
    """What prompt 2 gave."""

    competencies: list[str]
    degraded: bool


class Breakdown(BaseModel):
    """Single skills by competency: the Skills Engine's, or the gap's own when it gave none."""

    skills: Skills
    degraded: bool


class PlannedPath(BaseModel):
    """What prompt 3 gave."""

    plan: GapPathPlan
    generated_by: str
    degraded: bool


class MadePath(NamedTuple):
    """A path, ready to be published."""

    planned: PlannedPath
    offer: Offer
    breakdown: Skills
    profile: Profile
    recommendations: list[Recommendation]
    degraded: bool


class PathMaker:
    """Everything that is paid or remote in this flow."""

    def __init__(
        self, *, content: ContentService, skills_engine: SkillsEngine, agent: SkillPathAgent, clock: Clock
    ) -> None:
        self._content = content
        self._skills_engine = skills_engine
        self._agent = agent
        self._clock = clock

    async def make(self, context: Context, gap: Gap) -> MadePath:
        """From the gap alone; progress 30, 50, 70, 90 as in seed 000."""
        view, told = _view(gap), partial(self._told, context, gap)
        offer = await self._offer(context)
        expanded = await context.step(
            "expand", partial(self._expand, view), into=Expanded, emits=told(30, "skills_expanded")
        )
        identified = await context.step(
            "identify",
            partial(self._identify, view, expanded.skills),
            into=Identified,
            emits=told(50, "competencies_identified"),
        )
        breakdown = await context.step(
            "breakdown",
            partial(self._break_down, gap, expanded.skills, identified.competencies),
            into=Breakdown,
            emits=told(70, "skills_broken_down"),
        )
        degraded = expanded.degraded or identified.degraded or breakdown.degraded
        return await self._plan(context, gap, offer, _basis(gap, offer, breakdown.skills), degraded=degraded)

    async def revise(self, context: Context, gap: Gap, path: Path, feedback: str) -> MadePath:
        """Again, with what a decision maker wants different. Nothing is expanded or broken down anew."""
        offer = await self._offer(context)
        basis = _basis(gap, offer, path.breakdown, feedback, [step.title for step in path.record.learning_path.steps])
        return await self._plan(context, gap, offer, basis, degraded=False)

    async def _offer(self, context: Context) -> Offer:
        return await context.step("offer", partial(read_offer, self._content, context.identity[1]), into=Offer)

    async def _plan(self, context: Context, gap: Gap, offer: Offer, basis: PathBasis, *, degraded: bool) -> MadePath:
        planned = await context.step(
            "plan",
            partial(self._ask_for_plan, _view(gap), basis),
            into=PlannedPath,
            emits=self._told(context, gap, 90, "path_planned"),
        )
        profile, recommendations = worded(basis.profile, basis.recommendations, planned.plan)
        context.degraded = degraded or planned.degraded or not offer.is_whole
        return MadePath(planned, offer, basis.skills, profile, recommendations, context.degraded)

    def _told(self, context: Context, gap: Gap, percent: int, stage: str) -> Callable[[object], list[Emission]]:
        """What a step says when it is done."""
        competency = gap.competency_target_name
        return lambda _: [progress(context, percent, stage, at=self._clock.now(), competency=competency)]

    async def _expand(self, view: GapView) -> Expanded:
        planned = await self._agent.expand(view)
        return Expanded(skills=planned.value, degraded=planned.degraded)

    async def _identify(self, view: GapView, expanded: Skills) -> Identified:
        planned = await self._agent.identify(view, expanded)
        return Identified(competencies=planned.value, degraded=planned.degraded)

    async def _ask_for_plan(self, view: GapView, basis: PathBasis) -> PlannedPath:
        planned: Planned[GapPathPlan] = await self._agent.plan(view, basis)
        return PlannedPath(plan=planned.value, generated_by=planned.generated_by, degraded=planned.degraded)

    async def _break_down(self, gap: Gap, expanded: Skills, competencies: list[str]) -> Breakdown:
        """Without the Skills Engine the gap's own skills go on (contracts), with what they were expanded by."""
        try:
            answer = await self._skills_engine.break_down(competencies)
        except SkillsEngineError as exc:
            _log.warning("skills engine gave nothing, going on with the gap's skills", error=type(exc).__name__)
            return Breakdown(skills=_ordered(expanded, competencies), degraded=True)
        is_learned, skills = learned_in(_view(gap)), _ordered(expanded, competencies)
        for name, found in answer.items():  # in the spelling that was asked for
            skills[name] = list(dict.fromkeys([*skills[name], *(skill for skill in found if not is_learned(skill))]))
        return Breakdown(skills=skills, degraded=False)


def _view(gap: Gap) -> GapView:
    return GapView(
        target=gap.competency_target_name,
        skills=gap.skills,
        learned=gap.learned,
        exam_status=gap.exam_status,
        language=gap.preferred_language,
    )


def _basis(
    gap: Gap, offer: Offer, skills: Skills, feedback: str | None = None, earlier_steps: list[str] | None = None
) -> PathBasis:
    mastery, resources = offer.mastery or {}, offer.resources or []
    return PathBasis(
        skills=skills,
        resources=resources,
        mastery=mastery,
        profile=gap_profile(gap.skills, learned=gap.learned, added=gap.added, mastery=mastery),
        recommendations=gap_recommendations(gap.skills, mastery, resources),
        feedback=feedback,
        earlier_steps=earlier_steps or (),
    )


def _ordered(skills: Skills, competencies: list[str]) -> Skills:
    """The identified competencies first and in their order; nothing of the gap is lost, whatever was identified."""
    first = {name: skills[name] for name in competencies if name in skills}
    return first | skills
