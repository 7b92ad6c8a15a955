"""JSON schema out, pydantic in: asks a model for one object and asks again when the answer does not fit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from clients.llm.base import Model, Prompt, Usage
from schemas.codec import describe
from schemas.errors import ModelMalformedError, ModelTruncatedError

Decision = TypeVar("Decision", bound=BaseModel)

_log = structlog.get_logger(__name__)

_STARTS_TRIED = 50
_CORRECTION = (
    "\n\nYour previous answer could not be used: {problem}\n"
    "Answer again, with one JSON object that fits the schema and nothing around it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Decision]):
    """A validated answer, the model that gave it (`provider/model`), and what all calls cost together."""

    value: Decision
    model: str
    calls: int
    usage: Usage


async def ask(
    model: Model,
    prompt: Prompt,
    schema: type[Decision],
    *,
    check: Callable[[Decision], str | None] | None = None,
    reasks: int = 2,
) -> Asked[Decision]:
    """Ask until an answer fits `schema` and `check` finds no problem in it, at most 1 + `reasks` times.

    Each further call tells the model what was wrong, by place and rule. Raises ModelMalformedError or
    ModelTruncatedError when the last answer does not fit either, and any other ModelError as it comes.
    """
    prompt = replace(prompt, json_schema=schema.model_json_schema())
    request, usage = prompt, Usage()
    for call in range(1, reasks + 2):
        try:
            answer = await model.generate(request)
            usage += answer.usage
            value = _read(answer.text, schema, check)
        except (ModelMalformedError, ModelTruncatedError) as exc:
            if call > reasks:
                raise
            _log.info(
                "model answer does not fit, asking again",
                model=model.name,
                call=call,
                error=type(exc).__name__,
            )
            request = replace(prompt, instructions=prompt.instructions + _CORRECTION.format(problem=_problem(exc)))
        else:
            return Asked(value=value, model=answer.model, calls=call, usage=usage)
    raise AssertionError("the last call returns or raises")


def _read(text: str, schema: type[Decision], check: Callable[[Decision], str | None] | None) -> Decision:
    """Take the first object in `text` that fits; raises ModelMalformedError naming what is wrong with it."""
    problem = "there is no JSON object in it"
    for candidate in _objects(text):
        try:
            value = schema.model_validate(candidate)
        except ValidationError as exc:
            problem = describe(exc)
            continue
        found = check(value) if check else None
        if found is None:
            return value
        problem = found
    raise ModelMalformedError(problem)


def _objects(text: str) -> Iterator[object]:
    """Find the outermost JSON objects in a text with prose or code fences around them.

    The number of places looked at is bounded: an answer of nothing but braces costs no more than others.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position, tried = text.find("{"), 0
    while position >= 0 and tried < _STARTS_TRIED:
        tried += 1
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield found
        position = text.find("{", end)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _problem(error: ModelMalformedError | ModelTruncatedError) -> str:
    if isinstance(error, ModelTruncatedError):
        return "it was cut off at the length limit. Be much shorter: fewer steps and shorter texts."
    return str(error)
