"""How every agent asks: the model first, the offline way when there is none or, if so decided, when it fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import structlog
from pydantic import BaseModel

from agents.prompts import data_block, load_template
from clients.llm import Model, Prompt, ask
from schemas.errors import ModelBlockedError, ModelError

OnFailure = Literal["retry", "degrade", "dead_letter"]
OFFLINE = "offline"

Decision = TypeVar("Decision", bound=BaseModel)
Value = TypeVar("Value")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Generic[Value]):
    """What came out, and from whom."""

    value: Value
    generated_by: str
    """`provider/model`, or `offline`."""
    degraded: bool = False
    """Whether the offline way stood in for a model that failed."""
    failure: str | None = None
    """The ModelError's name when degraded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """A model and what happens without it. Without a `model` everything is offline, which is then no degradation."""

    model: Model | None
    on_llm_failure: OnFailure = "degrade"
    temperature: float = 0.7
    max_tokens: int = 8192

    async def plan(
        self,
        template: str,
        data: Callable[[], Any],
        schema: type[Decision],
        *,
        read: Callable[[Decision], Value],
        offline: Callable[[], Value],
        check: Callable[[Decision], str | None] | None = None,
    ) -> Planned[Value]:
        """Ask with a template from `agents/prompts`; `read` takes from the model's answer what is wanted.

        A ModelError is raised as it is unless `on_llm_failure` is degrade; a blocked prompt always degrades: asking
        again would not help.
        """
        if self.model is None:
            return Planned(value=offline(), generated_by=OFFLINE)
        prompt = Prompt(
            instructions=load_template(template).instructions,
            data=data_block(data()),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        try:
            asked = await ask(self.model, prompt, schema, check=check)
        except ModelError as exc:
            if self.on_llm_failure != "degrade" and not isinstance(exc, ModelBlockedError):
                raise
            failure = type(exc).__name__
            _log.warning("planned without the model", prompt=template, model=self.model.name, error=failure)
            return Planned(value=offline(), generated_by=OFFLINE, degraded=True, failure=failure)
        return Planned(value=read(asked.value), generated_by=asked.model)
