"""One event's case: what is known of its learner and competency, and what the rules make of it."""

import structlog

from clients.clock import Clock
from consumers.engine.context import Context
from consumers.engine.global_table import GlobalTable
from consumers.path_output import progress
from consumers.skills_gap import rules
from consumers.skills_gap.path_maker import MadePath
from consumers.skills_gap.publish import Publisher
from consumers.skills_gap.records import Approval, Company, Gap, Path
from consumers.skills_gap.shelf import Shelf
from schemas.errors import InvalidEventError
from schemas.gap import CompanyUpdatedEvent, SkillsGapEvent
from schemas.gap_outputs import Change

_log = structlog.get_logger("pathstream.skills_gap")

Companies = GlobalTable[CompanyUpdatedEvent]


class Case:
    """Gap and path of one competency while one event is handled. All it writes is the event's until that is done."""

    def __init__(self, context: Context, competency: str, companies: Companies, clock: Clock) -> None:
        self._context = context
        self._companies = companies
        self._clock = clock
        self._shelf = Shelf(context, competency)
        self.gap = self._shelf.gap
        self.path = self._shelf.path

    def update(self, event: SkillsGapEvent) -> tuple[Gap, bool]:
        """Gap, learner and company after the event, and whether the gap changed.

        A request for approval of a path that no longer fits is over then.
        Raises InvalidEventError for an event without a gap when none is known.
        """
        now, known = self._clock.now(), self.gap
        gap = rules.updated_gap(known, event, now)
        if gap is None:
            raise InvalidEventError("gap: missing, and none is known for this learner and competency")
        self.gap = gap
        self._shelf.keep(
            gap,
            rules.updated_learner(self._shelf.learner, event, now),
            rules.updated_company(self._shelf.company(event.company_id), event, now),
        )
        if changed := rules.has_changed(known, gap):
            _log.info(
                "gap changed",
                event_id=self._context.event_id,
                exam_status=gap.exam_status,
                learned=len(rules.dropped(known, gap)),
                added=len(gap.added),
                missing=sum(map(len, gap.skills.values())),
            )
            self._supersede(gap)
        return gap, changed

    def close(self, gap: Gap, *, changed: bool) -> None:
        """Nothing is left to learn; distributed once, also when it is heard again."""
        publisher = self._publisher(gap)
        if changed:
            publisher.distribution(None, "gap_closed")
        publisher.completed("gap_closed")

    def leave(self, gap: Gap, *, changed: bool) -> None:
        """No path is made now."""
        self._publisher(gap).completed("gap_stored" if changed else "gap_unchanged")

    def store(self, gap: Gap, made: MadePath, *, always_ask: bool = False) -> None:
        """Publish a path, and then distribute it or ask for approval, never both."""
        self._supersede(gap)
        known, publisher = self.path, self._publisher(gap)
        company = next(iter(self._heard_of(gap)), None)
        change: Change = "updated" if known is not None else "created"
        policy = company.approval_policy if company is not None else "auto"
        release = "ask" if always_ask else rules.release(policy, change, gap.exam_status)
        record = publisher.path(made, known, "pending" if release == "ask" else "not_required")
        approvals = known.approvals if known is not None else []
        if release == "ask":
            decision_maker = company.decision_maker if isinstance(company, CompanyUpdatedEvent) else None
            approvals = rules.with_approval(approvals, publisher.request(record, decision_maker))
        else:
            publisher.distribution(record.learning_path, release)
        self._keep(Path(record=record, breakdown=made.breakdown, gap_version=gap.version, approvals=approvals))
        publisher.completed("path_stored")
        _log.info("path stored", event_id=self._context.event_id, revision=record.revision, release=release)

    def decide(self, path: Path, approval: Approval) -> Path:
        """Note what was decided."""
        path = path.model_copy(update={"approvals": rules.with_approval(path.approvals, approval)})
        self._keep(path)
        return path

    def approve(self, gap: Gap, path: Path, job_id: str) -> None:
        """Distribute what was waiting for this."""
        publisher = self._publisher(gap)
        record = publisher.approved(path.record)
        publisher.distribution(record.learning_path, "approved")
        self._keep(path.model_copy(update={"record": record}))
        publisher.completed("approved", job_id=job_id)

    def reject(self, gap: Gap, job_id: str) -> None:
        """The path stays where it is: with nobody."""
        self._publisher(gap).completed("rejected", job_id=job_id)

    def waits_for(self, approval_id: str) -> bool:
        """Whether this request waits for a decision."""
        pending = self.path.pending if self.path is not None else None
        return pending is not None and pending.approval_id == approval_id

    def fail(self, competency: str) -> None:
        """No path came of this event."""
        name = self.gap.competency_target_name if self.gap is not None else competency
        now = self._clock.now()
        self._context.emit(*progress(self._context, 0, "failed", at=now, status="failed", competency=name))

    def _supersede(self, gap: Gap) -> None:
        if self.path is None or (pending := self.path.pending) is None:
            return
        self.decide(self.path, pending.model_copy(update={"state": "superseded"}))
        _log.info("approval superseded", approval_id=pending.approval_id, revision=pending.revision)
        self._publisher(gap).completed("approval_superseded", job_id=pending.source_event_id)

    def _keep(self, path: Path) -> None:
        self.path = path
        self._shelf.keep(path)

    def _publisher(self, gap: Gap) -> Publisher:
        """Learner and company go by their newest names, whichever competency's event told them."""
        learner = self._shelf.learner
        return Publisher(
            self._context,
            gap,
            user_name=learner.user_name if learner is not None else None,
            company_name=next((each.company_name for each in self._heard_of(gap) if each.company_name), None),
            now=self._clock.now(),
        )

    def _heard_of(self, gap: Gap) -> list[CompanyUpdatedEvent | Company]:
        """The company as the Directory knows it, then as the learner's events do."""
        found = (self._companies.get(gap.company_id), self._shelf.company(gap.company_id))
        return [company for company in found if company is not None]
