"""What comes in about skills gaps: the gap itself, decisions on paths, and companies (seed 000, contracts)."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, StringConstraints, model_validator

from schemas.envelope import InputModel, LearnerIdText

Action = Literal["update_skills_gap", "create_skills_gap", "generate_learning_path"]
ExamStatus = Literal["PASS", "FAIL"]
Policy = Literal["auto", "manual"]
Verdict = Literal["approved", "rejected", "changes_requested"]

MOST_SKILLS = 10_000
"""Of one gap; far more than any competency has, and few enough to stay below a record's limits."""

Skills = dict[str, list[str]]
"""Skill ids by competency, both in the order they came."""


def _one_form(text: str) -> str:
    """Unicode's composed form, one space where there were several."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


_LONGEST_NAME = 300
Name = Annotated[str, AfterValidator(_one_form), StringConstraints(min_length=1, max_length=_LONGEST_NAME)]
"""A name that people read; never blank."""
Status = Annotated[ExamStatus, BeforeValidator(_upper)]
EventIdText = Annotated[str, Field(min_length=1, max_length=200)]


def competency_key(name: str) -> str:
    """What tells competencies apart: not their case, spaces or Unicode form. Two spellings are one competency."""
    return unicodedata.normalize("NFC", _one_form(name).casefold())


def _merged(gap: Mapping[str, list[str]]) -> Skills:
    """Each competency once, under the spelling that came first, each of its skills once.

    The names come as they were sent: a dict of names in one form would keep only the last of two that become the same.
    """
    spellings: dict[str, str] = {}
    skills: dict[str, dict[str, None]] = {}
    for sent, named in gap.items():
        competency = _one_form(sent)
        if not 0 < len(competency) <= _LONGEST_NAME:
            raise ValueError(f"a competency's name is blank or longer than {_LONGEST_NAME} characters")
        spelling = spellings.setdefault(competency_key(competency), competency)
        skills.setdefault(spelling, {}).update(dict.fromkeys(named))
    merged = {competency: list(named) for competency, named in skills.items() if named}
    if sum(map(len, merged.values())) > MOST_SKILLS:
        raise ValueError(f"more than {MOST_SKILLS:,} skills in one gap")
    return merged


Gap = Annotated[dict[str, list[Name]], AfterValidator(_merged)]


def _payload_of(content: Any) -> Any:
    """The payload with what stands around it: an envelope's `eventData`, seed 000's `payload`, or bare.

    An id in the envelope must be the payload's: two learners in one event are no event.
    """
    if not isinstance(content, dict):
        return content
    outer = {name: value for name, value in content.items() if value is not None}
    inner = next((outer[name] for name in ("eventData", "event_data", "payload") if name in outer), None)
    if inner is None:
        return outer
    if not isinstance(inner, dict):
        raise ValueError("eventData and payload are objects")  # noqa: TRY004 - pydantic takes ValueErrors
    inner = _payload_of(inner)
    kept = {name: outer[name] for name in ("eventId", "event_id", "eventType", "event_type") if name in outer}
    ids = [part[name] for part in (outer, inner) for name in ("userId", "user_id") if name in part]
    if any(learner != ids[0] for learner in ids):
        raise ValueError("userId of the envelope and user_id of its data differ")
    return {**kept, **inner, **({"user_id": ids[0]} if ids else {})}


class SkillsGapEvent(InputModel):
    """What a learner still lacks for a competency; topic `skills_gap_updated` (seed 000, step 2).

    `company_id` has to be there: without it nobody knows whether a decision maker must be asked. `gap` has to be
    there for the actions that change it.
    """

    event_id: EventIdText | None = None
    event_type: Literal["SKILLS_GAP_UPDATED"] = "SKILLS_GAP_UPDATED"
    action: Action = "update_skills_gap"
    user_id: LearnerIdText
    user_name: Name | None = None
    company_id: LearnerIdText
    company_name: Name | None = None
    competency_target_name: Name
    exam_status: Status | None = None
    gap: Gap | None = Field(
        default=None, validation_alias=AliasChoices("gap", "missing_skills_map", "missingSkillsMap")
    )
    preferred_language: Annotated[str, Field(max_length=40)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, content: Any) -> Any:
        return _payload_of(content)

    @model_validator(mode="after")
    def _change_has_a_gap(self) -> Self:
        if self.gap is None and self.action != "generate_learning_path":
            raise ValueError(f"gap: missing, and {self.action} needs it")
        return self

    @property
    def competency(self) -> str:
        """What tells the competency apart."""
        return competency_key(self.competency_target_name)


class ApprovalDecisionEvent(InputModel):
    """What a decision maker says to a path; topic `approval_decision`."""

    event_id: EventIdText | None = None
    approval_id: Annotated[str, Field(min_length=1, max_length=200)]
    user_id: LearnerIdText
    competency_target_name: Name
    decision: Verdict
    feedback: Annotated[str, Field(max_length=4000)] | None = None
    decided_by: Annotated[str, Field(max_length=300)] | None = None
    decided_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, content: Any) -> Any:
        return _payload_of(content)

    @model_validator(mode="after")
    def _changes_have_a_reason(self) -> Self:
        if self.decision == "changes_requested" and not (self.feedback or "").strip():
            raise ValueError("feedback: changes_requested needs it")
        return self


class DecisionMaker(InputModel):
    """Who decides on a company's paths."""

    employee_id: str
    employee_name: str | None = None
    employee_email: str | None = None


class CompanyUpdatedEvent(InputModel):
    """A company as the Directory knows it; topic `company_updated`, compacted."""

    company_id: LearnerIdText
    company_name: str | None = None
    approval_policy: Policy = "auto"
    decision_maker: DecisionMaker | None = None
