"""What the flow publishes: paths, their progress, requests for approval, distributions."""

from datetime import datetime

from consumers.engine.context import Context
from consumers.path_output import emit_path, progress
from consumers.skills_gap.path_maker import MadePath
from consumers.skills_gap.records import Approval, Gap, Path
from consumers.topics import APPROVAL_REQUESTED, DISTRIBUTION, LEARNING_PATH
from schemas.decisions import PathPlan
from schemas.gap import DecisionMaker
from schemas.gap_outputs import ApprovalRequestedRecord, ApprovalStatus, DistributionRecord, GapPathRecord, Reason
from schemas.outputs import ProgressStatus


class Publisher:
    """Publishes for one event and the gap that it is about."""

    def __init__(
        self, context: Context, gap: Gap, *, user_name: str | None, company_name: str | None, now: datetime
    ) -> None:
        self._context = context
        self._gap = gap
        self._user_name = user_name
        self._company_name = company_name
        self._now = now
        self._source_event_id, self._learner_id = context.identity

    def path(self, made: MadePath, known: Path | None, status: ApprovalStatus) -> GapPathRecord:
        """A new path, or the next revision of the one that is known."""
        gap, plan = self._gap, made.planned.plan
        record = GapPathRecord(
            event_id=self._context.output_id(LEARNING_PATH),
            source_event_id=self._source_event_id,
            user_id=self._learner_id,
            learning_goal=gap.competency_target_name,
            learning_path=PathPlan(**{name: getattr(plan, name) for name in PathPlan.model_fields}),
            mastery_scores=made.offer.mastery or {},
            available_resources=made.offer.resources or [],
            available_resources_truncated=False,
            profile=made.profile,
            recommendations=made.recommendations,
            generated_at=self._now,
            generated_by=made.planned.generated_by,
            degraded=made.degraded,
            competency_target_name=gap.competency_target_name,
            company_id=gap.company_id,
            revision=known.record.revision + 1 if known is not None else 1,
            change="updated" if known is not None else "created",
            approval_status=status,
            created_at=known.record.created_at if known is not None else self._now,
            last_modified_at=self._now,
        )
        return emit_path(self._context, record)

    def approved(self, record: GapPathRecord) -> GapPathRecord:
        """The same revision again, approved, for the company that the learner is with now."""
        changes = {
            "company_id": self._gap.company_id,
            "event_id": self._context.output_id(LEARNING_PATH),
            "source_event_id": self._source_event_id,
            "approval_status": "approved",
            "last_modified_at": self._now,
        }
        return emit_path(self._context, record.model_copy(update=changes))

    def distribution(self, plan: PathPlan | None, reason: Reason) -> None:
        """Send the path, or that there is none any more, to all who use it."""
        gap = self._gap
        record = DistributionRecord(
            distribution_id=self._context.output_id(DISTRIBUTION),
            source_event_id=self._source_event_id,
            user_id=self._learner_id,
            user_name=self._user_name,
            company_id=gap.company_id,
            company_name=self._company_name,
            competency_target_name=gap.competency_target_name,
            learning_path=plan,
            exam_status=gap.exam_status,
            reason=reason,
            skills_raw_data=gap.skills,
            distributed_at=self._now,
        )
        self._context.emit(DISTRIBUTION, record, place=DISTRIBUTION)

    def request(self, record: GapPathRecord, decision_maker: DecisionMaker | None) -> Approval:
        """Ask the company's decision maker; gives the request that waits from now on."""
        gap, approval_id = self._gap, self._context.output_id(APPROVAL_REQUESTED)
        request = ApprovalRequestedRecord(
            approval_id=approval_id,
            user_id=self._learner_id,
            user_name=self._user_name,
            company_id=gap.company_id,
            company_name=self._company_name,
            competency_target_name=gap.competency_target_name,
            decision_maker=decision_maker,
            learning_path=record.learning_path,
            requested_at=self._now,
            revision=record.revision,
        )
        self._context.emit(APPROVAL_REQUESTED, request, place=APPROVAL_REQUESTED)
        return Approval(approval_id=approval_id, revision=record.revision, source_event_id=self._source_event_id)

    def told(self, stage: str, *, status: ProgressStatus = "completed", job_id: str | None = None) -> None:
        """Say that all is done that can be done for a job now: this event's, or an earlier one's."""
        told = progress(
            self._context,
            100,
            stage,
            at=self._now,
            status=status,
            competency=self._gap.competency_target_name,
            job_id=job_id,
        )
        self._context.emit(*told)
