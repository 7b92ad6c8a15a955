"""What the skills-gap flow has to do, written down a second time from seed 000, the contracts and the ADR.

No Kafka, no clock, no agents: dictionaries, and the records that have to come out of each event. Of a record only those
fields stand here that the rules decide.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.unit.gap_forms import Decision, GapEvent, Skills, same_name, set_of

Told = dict[str, list[dict[str, Any]]]
"""By topic, the fields that the rules decide of each record."""

MADE = ((30, "skills_expanded"), (50, "competencies_identified"), (70, "skills_broken_down"), (90, "path_planned"))


@dataclass
class Request:
    """A request for approval; `job` is the event whose path it is about."""

    revision: int
    job: str
    state: str = "pending"


@dataclass
class Path:
    """The path of a competency; `fits` says whether it was made for the gap as it is."""

    revision: int
    created_at: datetime
    fits: bool = True
    requests: list[Request] = field(default_factory=list)

    @property
    def pending(self) -> Request | None:
        return next((request for request in self.requests if request.state == "pending"), None)


@dataclass
class Gap:
    """What a learner lacks for one competency, and what became of it."""

    name: str
    company: str
    created_at: datetime
    updated_at: datetime
    skills: Skills
    status: str | None
    learned: set[str] = field(default_factory=set)
    path: Path | None = None

    @property
    def closed(self) -> bool:
        return self.status == "PASS" or not set_of(self.skills)


class Model:
    """The whole service as its neighbours see it."""

    def __init__(self, *, auto: bool) -> None:
        self.auto = auto
        self.engine_is_away = False
        self.names: dict[str, str | None] = {}
        self.company_names: dict[tuple[str, str], str | None] = {}
        self.directory: dict[str, dict[str, Any]] = {}
        self.gaps: dict[tuple[str, str], Gap] = {}
        self._told: Told = defaultdict(list)
        self._now = datetime.min.replace(tzinfo=UTC)

    def company_updated(self, company: str, row: dict[str, Any] | None) -> None:
        if row is None:
            self.directory.pop(company, None)
        else:
            self.directory[company] = row

    def gap_updated(self, event: GapEvent, now: datetime) -> Told:
        """Update the gap; then close it, make a path, or leave it at that."""
        self._begin(now)
        at = (event.user, same_name(event.competency))
        gap = self.gaps.get(at)
        if gap is None and event.gap is None:
            self._progress(event.user, event.competency, event.job, 0, "failed", "failed")
            self._told["dead"].append({"code": "INVALID_EVENT"})
            return self._told
        self._rename(event)
        changed = gap is None or self._differs(gap, event)
        if gap is None:
            gap = Gap(event.competency, event.company, now, now, event.gap or {}, event.status)
            self.gaps[at] = gap
        gap.company = event.company
        if changed:
            self._change(gap, event)
        if gap.closed:
            if changed:
                self._distribute(event.user, gap, "gap_closed", with_path=False)
            self._done(event.user, gap, event.job, "gap_closed")
        elif event.generate or (self.auto and not (gap.path and gap.path.fits)):
            for percent, stage in MADE:
                self._progress(event.user, gap.name, event.job, percent, stage)
            self._publish(event.user, gap, event.job, degraded=self.engine_is_away)
        else:
            self._done(event.user, gap, event.job, "gap_stored" if changed else "gap_unchanged")
        return self._told

    def decided(self, event: Decision, now: datetime) -> Told:
        """Approved: distributed. Rejected: closed. Changes requested: a new revision, asked again."""
        self._begin(now)
        gap = self.gaps.get((event.user, same_name(event.competency)))
        path = gap.path if gap is not None else None
        if gap is None or path is None or event.request is None or event.request >= len(path.requests):
            self._told["dead"].append({"code": "UNKNOWN_APPROVAL"})
            return self._told
        request = path.requests[event.request]
        if request.state != "pending":
            if request.state != event.verdict or event.verdict == "changes_requested":
                self._told["dead"].append({"code": "UNKNOWN_APPROVAL"})
            return self._told
        request.state = event.verdict
        if event.verdict == "approved":
            self._path_record(event.user, gap, path, "approved")
            self._distribute(event.user, gap, "approved", with_path=True)
            self._done(event.user, gap, request.job, "approved")
        elif event.verdict == "rejected":
            self._done(event.user, gap, request.job, "rejected")
        else:
            self._progress(event.user, gap.name, event.job, 90, "path_planned")
            self._publish(event.user, gap, event.job, degraded=False, ask=True)
        return self._told

    def company_name(self, user: str, company: str) -> str | None:
        """The Directory's name for a company goes before what the learner's events called it."""
        return self.directory.get(company, {}).get("company_name") or self.company_names.get((user, company))

    def _begin(self, now: datetime) -> None:
        self._told, self._now = defaultdict(list), now

    def _rename(self, event: GapEvent) -> None:
        company = (event.user, event.company)
        self.names[event.user] = event.user_name or self.names.get(event.user)
        self.company_names[company] = event.company_name or self.company_names.get(company)

    def _differs(self, gap: Gap, event: GapEvent) -> bool:
        return event.gap is not None and (set_of(event.gap) != set_of(gap.skills) or event.status != gap.status)

    def _change(self, gap: Gap, event: GapEvent) -> None:
        """The new gap is the truth: what it does not name is learned."""
        after = event.gap or {}
        still_missing = {skill for _, skill in set_of(after)}
        gap.learned = (gap.learned | {skill for _, skill in set_of(gap.skills)}) - still_missing
        gap.skills, gap.status, gap.updated_at = after, event.status, self._now
        if gap.path is not None:
            gap.path.fits = False
        self._supersede(event.user, gap)

    def _supersede(self, user: str, gap: Gap) -> None:
        if gap.path is not None and (pending := gap.path.pending) is not None:
            pending.state = "superseded"
            self._done(user, gap, pending.job, "approval_superseded")

    def _publish(self, user: str, gap: Gap, job: str, *, degraded: bool, ask: bool = False) -> None:
        """A path is there: distributed, or a decision maker is asked."""
        self._supersede(user, gap)
        known = gap.path
        revision, created_at = (known.revision + 1, known.created_at) if known else (1, self._now)
        path = Path(revision, created_at, requests=known.requests if known else [])
        company = self.directory.get(gap.company, {})
        after_failure = known is not None and gap.status == "FAIL"
        if ask or (company.get("approval_policy") == "manual" and not after_failure):
            self._path_record(user, gap, path, "pending", degraded=degraded, created=known is None)
            path.requests.append(Request(revision, job))
            self._told["approval_requested"].append(
                self._whose(user, gap) | {"revision": revision, "decision_maker": company.get("decision_maker")}
            )
        else:
            self._path_record(user, gap, path, "not_required", degraded=degraded, created=known is None)
            reason = "exam_failure_update" if after_failure else "auto_policy"
            self._distribute(user, gap, reason, with_path=True)
        gap.path = path
        self._done(user, gap, job, "path_stored")

    def _path_record(self, user: str, gap: Gap, path: Path, status: str, **of_a_new_one: bool) -> None:
        record = {
            "user_id": user,
            "competency_target_name": gap.name,
            "company_id": gap.company,
            "revision": path.revision,
            "approval_status": status,
            "created_at": path.created_at,
            "last_modified_at": self._now,
        }
        if of_a_new_one:
            record |= {
                "degraded": of_a_new_one["degraded"],
                "change": "created" if of_a_new_one["created"] else "updated",
            }
        self._told["learning_path"].append(record)

    def _distribute(self, user: str, gap: Gap, reason: str, *, with_path: bool) -> None:
        self._told["distribution"].append(
            self._whose(user, gap)
            | {
                "reason": reason,
                "exam_status": gap.status,
                "skills_raw_data": gap.skills,
                "recipients": ["course_builder", "learning_analytics", "management_reports"],
                "has_path": with_path,
            }
        )

    def _whose(self, user: str, gap: Gap) -> dict[str, Any]:
        return {
            "user_id": user,
            "user_name": self.names.get(user),
            "company_id": gap.company,
            "company_name": self.company_name(user, gap.company),
            "competency_target_name": gap.name,
        }

    def _done(self, user: str, gap: Gap, job: str, stage: str) -> None:
        self._progress(user, gap.name, job, 100, stage, "completed")

    def _progress(  # noqa: PLR0917 - a line of a table
        self, user: str, competency: str, job: str, percent: int, stage: str, status: str = "processing"
    ) -> None:
        told = {"user_id": user, "competency_target_name": competency, "job_id": job, "progress": percent}
        self._told["path_progress"].append(told | {"stage": stage, "status": status})
