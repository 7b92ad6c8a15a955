"""From a learning goal to a learning path: asks the model, checks its answer, plans without it if need be.

Called by the flows inside a step, with what the content service gave. Knows no topic and no learner.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import structlog

from agents.path_prompt import path_data
from agents.planner import Planner
from clients.llm.offline import plan_offline
from schemas.decisions import PathPlan
from schemas.events import Level
from schemas.outputs import Resource

Plan = TypeVar("Plan", bound=PathPlan)

_log = structlog.get_logger(__name__)
_LEVELS: tuple[Level, ...] = ("beginner", "intermediate", "advanced")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathResult:
    """A path and how it came about."""

    plan: PathPlan
    generated_by: str
    """`provider/model`, or `offline`."""
    degraded: bool
    """Whether the offline planner stood in for a model that failed."""
    dropped_resources: int = 0
    """How many resources the model named that were never offered."""
    failure: str | None = None
    """The ModelError's name when degraded."""


class PathInputs(TypedDict):
    """What a path is planned from, by the model as by the offline planner (seed 004)."""

    goal: str
    current_level: Level
    preferences: Mapping[str, Any]
    available_time: str
    resources: Sequence[Resource]
    mastery: Mapping[str, float]


class LearningPathAgent:
    """Seed 004's agent."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    async def generate_learning_path(
        self,
        *,
        goal: str,
        current_level: Level = "beginner",
        preferences: Mapping[str, Any] | None = None,
        available_time: str = "flexible",
        resources: Sequence[Resource] = (),
        mastery: Mapping[str, float] | None = None,
    ) -> PathResult:
        """Plan a path whose steps use offered resources only, by id, numbered from 1.

        Raises a ModelError as the planner does.
        """
        inputs = PathInputs(
            goal=goal,
            current_level=current_level,
            preferences=preferences or {},
            available_time=available_time,
            resources=resources,
            mastery=mastery or {},
        )
        planned = await self._planner.plan(
            "learning_path",
            lambda: path_data(**inputs),
            PathPlan,
            read=lambda plan: settled(plan, resources),
            offline=lambda: (plan_offline(**inputs), 0),
            check=_level_check(inputs["current_level"]),
        )
        plan, dropped = planned.value
        return PathResult(
            plan=plan,
            generated_by=planned.generated_by,
            degraded=planned.degraded,
            dropped_resources=dropped,
            failure=planned.failure,
        )


def _level_check(current_level: Level) -> Callable[[PathPlan], str | None]:
    """A beginner's path is not advanced, and an advanced learner's not for beginners."""

    def check(plan: PathPlan) -> str | None:
        distance = abs(_LEVELS.index(plan.difficulty_level) - _LEVELS.index(current_level))
        if distance > 1:
            return f"difficulty_level: a path for the level {current_level} cannot be {plan.difficulty_level}"
        return None

    return check


def settled(plan: Plan, resources: Sequence[Resource]) -> tuple[Plan, int]:
    """Number the steps from 1 and keep the offered resources, by id; returns how many others were named."""
    offered = {_folded(resource.name): resource.resourceId for resource in reversed(resources)}
    offered |= {_folded(resource.resourceId): resource.resourceId for resource in reversed(resources)}
    exact = {resource.resourceId for resource in resources}
    dropped = 0
    steps = []
    for number, step in enumerate(plan.steps, start=1):
        found = [name if name in exact else offered.get(_folded(name)) for name in step.resources]
        kept = [resource_id for resource_id in found if resource_id is not None]
        dropped += len(found) - len(kept)
        changes = {"step_number": number, "resources": list(dict.fromkeys(kept))}
        steps.append(step.model_copy(update=changes))
    if dropped:
        _log.warning("model named resources that were not offered", dropped=dropped)
    return plan.model_copy(update={"steps": steps}), dropped


def _folded(text: str) -> str:
    """Models change case and spaces at the edges; nothing else is forgiven."""
    return text.strip().casefold()
