"""What every event has in common: how its names are spelled and whose it is."""

import unicodedata
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake

MAX_LEARNER_ID_CHARS = 200


def readable_id(value: str) -> str:
    """Refuse an id that is blank or holds control characters."""
    if not value.strip():
        raise ValueError("blank")
    if any(unicodedata.category(char) == "Cc" for char in value):
        raise ValueError("holds control characters")
    return value


LearnerIdText = Annotated[str, Field(max_length=MAX_LEARNER_ID_CHARS), AfterValidator(readable_id)]


class InputModel(BaseModel):
    """Base of everything read from a topic: camelCase or snake_case, unknown fields ignored (contracts)."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        allow_inf_nan=False,
        alias_generator=AliasGenerator(
            validation_alias=lambda name: AliasChoices(to_camel(name), to_snake(name)),
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, content: Any) -> Any:
        """Many senders write null for what is not given."""
        if isinstance(content, dict):
            return {name: value for name, value in content.items() if value is not None}
        return content


class OutputModel(BaseModel):
    """Base of everything written to a topic: exactly these names, no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Envelope(InputModel):
    """The upstream's envelope around an event's data (seed 004)."""

    event_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    user_id: LearnerIdText
    metadata: dict[str, Any] = Field(default_factory=dict)
