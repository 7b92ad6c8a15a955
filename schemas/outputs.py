"""Output records, with exactly the names that Course Builder and Analytics read (contracts)."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from schemas.decisions import PathPlan
from schemas.envelope import OutputModel

SCHEMA_VERSION = "1"


class Resource(OutputModel):
    """A learning resource as the content service offers it; more fields are kept as they are."""

    model_config = OutputModel.model_config | {"extra": "allow"}

    resourceId: str  # noqa: N815 - the content service's name, kept on the wire
    name: str
    type: str = ""
    description: str = ""
    url: str | None = None
    conceptId: str | None = None  # noqa: N815


class Profile(OutputModel):
    """Where the learner stands (seed 001): computed from mastery, gap and resources."""

    strengths: list[str]
    weaknesses: list[str]
    summary: str


class Recommendation(OutputModel):
    """A skill to work on next (seed 001); priority 1 comes first."""

    skill: str
    priority: int = Field(ge=1)
    reason: str
    resource_ids: list[str]


class LearningPathRecord(OutputModel):
    """A learner's path; topic `learning_path`, key = the learner's id (seed 004)."""

    event_id: str
    source_event_id: str
    user_id: str
    learning_goal: str
    learning_path: PathPlan
    mastery_scores: dict[str, float]
    available_resources: list[Resource]
    available_resources_truncated: bool
    profile: Profile
    recommendations: list[Recommendation]
    generated_at: datetime
    generated_by: str
    degraded: bool


ProgressStatus = Literal["pending", "processing", "completed", "failed"]


class PathProgressRecord(OutputModel):
    """How far the making of a path is; topic `path_progress`, key = the learner's id (seed 001)."""

    job_id: str
    user_id: str
    competency_target_name: str | None = None
    status: ProgressStatus
    progress: int = Field(ge=0, le=100)
    stage: str
    at: datetime


JsonObject = dict[str, Any]
