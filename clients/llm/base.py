"""The port to a language model: one method, and what goes in and comes out of it.

A provider (`gemini`) implements it, a decorator (`retry`) wraps a Model and is one itself; `app` composes
them and the agents call the outermost one through `ask`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What to ask: `instructions` are ours, `data` may come from a learner and is never obeyed.

    Neither text appears in the repr, so no log line can show one by accident.
    """

    instructions: str = field(repr=False)
    data: str = field(repr=False)
    json_schema: JsonSchema | None = field(default=None, repr=False)
    temperature: float = 0.7
    max_tokens: int = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call cost, in tokens; 0 where the provider did not say."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer: its text is not empty and was not cut."""

    text: str = field(repr=False)
    model: str
    """`provider/model` that gave it."""
    finish_reason: str
    usage: Usage = field(default_factory=Usage)


class Model(Protocol):
    """A language model, or a decorator around one."""

    @property
    def name(self) -> str:
        """`provider/model`, as in `generated_by`."""

    async def generate(self, request: Prompt) -> Answer:
        """Answer one prompt within a bounded time; raises a ModelError when there is no answer."""
