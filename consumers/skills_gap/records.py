"""What the flow remembers of a learner, competency by competency."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from schemas.gap import ExamStatus, Policy, Skills
from schemas.gap_outputs import GapPathRecord

ApprovalState = Literal["pending", "approved", "rejected", "changes_requested", "superseded"]
"""Where a request for approval stands: only a pending one can be decided."""


class Learner(BaseModel):
    """Who the learner is, as the newest event says."""

    user_name: str | None
    created_at: datetime
    updated_at: datetime


class Company(BaseModel):
    """A company as it was first heard of; what `company_updated` says goes before it."""

    company_id: str
    company_name: str | None
    approval_policy: Policy = "auto"
    created_at: datetime


class Gap(BaseModel):
    """What a learner lacks for a competency (seed 000's `skills_gap` row)."""

    competency_target_name: str
    """As it was first spelled: downstream it is the key of a course."""
    company_id: str
    skills: Skills
    exam_status: ExamStatus | None
    preferred_language: str | None
    learned: list[str] = Field(default_factory=list)
    """Skills that were in the gap once and are not any more, the newest first."""
    added: list[str] = Field(default_factory=list)
    """Skills that the last change brought in."""
    version: int = 1
    """Counts its changes: a path says which one it was made for."""
    created_at: datetime
    updated_at: datetime


class Approval(BaseModel):
    """One request for approval."""

    approval_id: str
    revision: int
    state: ApprovalState = "pending"
    source_event_id: str
    """The event that the path was made for: its job in `path_progress`."""


class Path(BaseModel):
    """The path of a competency (seed 000's `courses` row), as it was last published."""

    record: GapPathRecord
    breakdown: Skills
    """The single skills it was planned from: a revision after feedback does not ask for them again."""
    gap_version: int
    """The version of the gap that it was made for."""
    approvals: list[Approval] = Field(default_factory=list)
    """Newest last."""

    @property
    def pending(self) -> Approval | None:
        """The request that waits for a decision."""
        return next((approval for approval in reversed(self.approvals) if approval.state == "pending"), None)
