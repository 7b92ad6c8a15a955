"""What a model answers, before it is trusted: the shapes that `clients/llm/ask` validates against."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.events import Level

# An id or name that must be found again: kept to the letter.
Reference = Annotated[str, StringConstraints(strip_whitespace=False)]


class Decision(BaseModel):
    """Base of all model answers: strict about what is there, tolerant of extra fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class PathStep(Decision):
    """One step of a learning path (seed 004). `resources` are ids or names of offered resources."""

    step_number: int = Field(ge=1)
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    estimated_duration: str = Field(min_length=1)
    resources: list[Reference] = Field(default_factory=list)
    prerequisites: list[str] = Field(default_factory=list)
    skills_covered: list[str] = Field(default_factory=list)


class PathPlan(Decision):
    """A learning path as a planner gives it (seed 004)."""

    goal: str = Field(min_length=1)
    difficulty_level: Level
    total_duration: str = Field(min_length=1)
    steps: list[PathStep] = Field(min_length=1, max_length=50)


class CompetencySkills(Decision):
    """One competency and what belongs to it."""

    competency: str = Field(min_length=1)
    skills: list[str] = Field(min_length=1)


class SkillExpansion(Decision):
    """Missing skills put together into competencies (seed 000, prompt 1)."""

    competencies: list[CompetencySkills] = Field(min_length=1, max_length=50)


class CompetencyNames(Decision):
    """The competencies that a path has to be about, most important first (seed 000, prompt 2)."""

    competencies: list[str] = Field(min_length=1, max_length=50)


class SkillReason(Decision):
    """Why a recommended skill comes where it comes, in the model's words (seed 001)."""

    skill: Reference
    reason: str = Field(min_length=1)


class GapPathPlan(PathPlan):
    """A path that closes a gap (seed 000, prompt 3), with the words for profile and recommendations (seed 001)."""

    summary: str = ""
    reasons: list[SkillReason] = Field(default_factory=list)
