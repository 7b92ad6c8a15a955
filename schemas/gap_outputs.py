"""Output records of the skills-gap flow, with exactly the names that their readers know (contracts)."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.decisions import PathPlan
from schemas.envelope import OutputModel
from schemas.gap import DecisionMaker, ExamStatus, Skills
from schemas.outputs import LearningPathRecord

Change = Literal["created", "updated"]
ApprovalStatus = Literal["not_required", "pending", "approved"]
Recipient = Literal["course_builder", "learning_analytics", "management_reports"]
Reason = Literal["auto_policy", "approved", "exam_failure_update", "gap_closed"]

RECIPIENTS: tuple[Recipient, ...] = ("course_builder", "learning_analytics", "management_reports")


class GapPathRecord(LearningPathRecord):
    """A path made from a gap; topic `learning_path`.

    A later record of the same learner and competency replaces the earlier ones: `revision` counts 1, 2, ...
    """

    competency_target_name: str
    company_id: str
    revision: int = Field(ge=1)
    change: Change
    approval_status: ApprovalStatus
    created_at: datetime
    last_modified_at: datetime


class DistributionRecord(OutputModel):
    """A path on its way to those who use it; topic `distribution` (seed 000, step 5). No path when the gap closed."""

    distribution_id: str
    source_event_id: str
    user_id: str
    user_name: str | None
    company_id: str
    company_name: str | None
    competency_target_name: str
    learning_path: PathPlan | None
    exam_status: ExamStatus | None
    recipients: tuple[Recipient, ...] = RECIPIENTS
    reason: Reason
    skills_raw_data: Skills
    distributed_at: datetime


class ApprovalRequestedRecord(OutputModel):
    """A decision maker is asked; topic `approval_requested`. A higher revision takes the place of a lower one."""

    approval_id: str
    user_id: str
    user_name: str | None
    company_id: str
    company_name: str | None
    competency_target_name: str
    decision_maker: DecisionMaker | None
    learning_path: PathPlan
    requested_at: datetime
    revision: int = Field(ge=1)
