"""From a learning goal to a learning path: asks the model, checks its answer, plans without it if need be.

Called by the flows inside a step, with what the content service gave. Knows no topic and no learner.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import structlog

from agents.path_prompt import path_data
from agents.prompts import data_block, load_template
from clients.llm import Model, Prompt, ask
from clients.llm.offline import plan_offline
from schemas.decisions import PathPlan
from schemas.errors import ModelBlockedError, ModelError
from schemas.events import Level
from schemas.outputs import Resource

OnFailure = Literal["retry", "degrade", "dead_letter"]
OFFLINE = "offline"

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
    """Seed 004's agent. Without a `model` every path is planned offline, which is then no degradation."""

    def __init__(
        self,
        model: Model | None,
        *,
        on_llm_failure: OnFailure = "degrade",
        temperature: float = 0.7,
        max_tokens: int = 8192,
    ) -> None:
        self._model = model
        self._on_llm_failure = on_llm_failure
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._template = load_template("learning_path")

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

        A ModelError is raised as it is unless `on_llm_failure` is degrade; a blocked goal always degrades:
        asking again would not help.
        """
        inputs = PathInputs(
            goal=goal,
            current_level=current_level,
            preferences=preferences or {},
            available_time=available_time,
            resources=resources,
            mastery=mastery or {},
        )
        if self._model is None:
            return PathResult(plan=plan_offline(**inputs), generated_by=OFFLINE, degraded=False)
        try:
            plan, model = await self._ask(self._model, inputs)
        except ModelError as exc:
            if self._on_llm_failure != "degrade" and not isinstance(exc, ModelBlockedError):
                raise
            failure = type(exc).__name__
            _log.warning("path planned without the model", model=self._model.name, error=failure)
            return PathResult(plan=plan_offline(**inputs), generated_by=OFFLINE, degraded=True, failure=failure)
        plan, dropped = _settled(plan, resources)
        return PathResult(plan=plan, generated_by=model, degraded=False, dropped_resources=dropped)

    async def _ask(self, model: Model, inputs: PathInputs) -> tuple[PathPlan, str]:
        """Return the model's plan as it is, and which model gave it."""
        prompt = Prompt(
            instructions=self._template.instructions,
            data=data_block(path_data(**inputs)),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
        )
        asked = await ask(model, prompt, PathPlan, check=_level_check(inputs["current_level"]))
        return asked.value, asked.model


def _level_check(current_level: Level) -> Callable[[PathPlan], str | None]:
    """A beginner's path is not advanced, and an advanced learner's not for beginners."""

    def check(plan: PathPlan) -> str | None:
        distance = abs(_LEVELS.index(plan.difficulty_level) - _LEVELS.index(current_level))
        if distance > 1:
            return f"difficulty_level: a path for the level {current_level} cannot be {plan.difficulty_level}"
        return None

    return check


def _settled(plan: PathPlan, resources: Sequence[Resource]) -> tuple[PathPlan, int]:
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
