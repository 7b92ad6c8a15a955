"""The flow's rules (seed 000), pure: what an event makes of what is known, and what follows from it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from consumers.skills_gap.records import Approval, Company, Gap, Learner, Path
from schemas.errors import UnknownApprovalError
from schemas.gap import ApprovalDecisionEvent, ExamStatus, Policy, Skills, SkillsGapEvent, competency_key
from schemas.gap_outputs import Change, Reason

MOST_APPROVALS = 20
"""Requests remembered per path; a decision on an older one is one on an unknown request."""

MOST_LEARNED = 2_000
"""Learned skills remembered per gap, the newest: more than any prompt shows."""

PathGeneration = Literal["auto", "manual"]
Release = Reason | Literal["ask"]
"""Why a path goes out at once, or that a decision maker is asked first."""


def updated_gap(known: Gap | None, event: SkillsGapEvent, now: datetime) -> Gap | None:
    """The gap after the event; None when there is none. The event's gap is the truth: what it does not name is learned.

    An event without a gap, or with the one that is known, changes nothing but company and language. In which order a
    gap names its skills, and how it spells its competencies, does not make it another one.
    """
    if known is None:
        return None if event.gap is None else _new_gap(event, event.gap, now)
    named = known.model_copy(
        update={
            "company_id": event.company_id,
            "preferred_language": event.preferred_language or known.preferred_language,
        }
    )
    if event.gap is None or (_same(event.gap, known.skills) and event.exam_status == known.exam_status):
        return named
    before, after = _flat(known.skills), _flat(event.gap)
    learned = dict.fromkeys([*before, *known.learned])
    return named.model_copy(
        update={
            "skills": event.gap,
            "exam_status": event.exam_status,
            "learned": [skill for skill in learned if skill not in after][:MOST_LEARNED],
            "added": [skill for skill in after if skill not in before],
            "version": known.version + 1,
            "updated_at": now,
        }
    )


def _new_gap(event: SkillsGapEvent, skills: Skills, now: datetime) -> Gap:
    return Gap(
        competency_target_name=event.competency_target_name,
        company_id=event.company_id,
        skills=skills,
        exam_status=event.exam_status,
        preferred_language=event.preferred_language,
        added=list(_flat(skills)),
        created_at=now,
        updated_at=now,
    )


def updated_learner(known: Learner | None, event: SkillsGapEvent, now: datetime) -> Learner:
    """The learner, created or renamed."""
    if known is None:
        return Learner(user_name=event.user_name, created_at=now, updated_at=now)
    if event.user_name is None or event.user_name == known.user_name:
        return known
    return known.model_copy(update={"user_name": event.user_name, "updated_at": now})


def updated_company(known: Company | None, event: SkillsGapEvent, now: datetime) -> Company:
    """The company, created with the policy `auto`, or renamed."""
    if known is None:
        return Company(company_id=event.company_id, company_name=event.company_name, created_at=now)
    return known.model_copy(update={"company_name": event.company_name or known.company_name})


def is_closed(gap: Gap) -> bool:
    """Whether nothing is left to learn: PASS, or no skill missing."""
    return gap.exam_status == "PASS" or not gap.skills


def has_changed(known: Gap | None, gap: Gap) -> bool:
    """Whether the event changed what is missing or how the exam went."""
    return known is None or known.version != gap.version


def dropped(known: Gap | None, gap: Gap) -> list[str]:
    """The skills that the event showed to be learned."""
    after = _flat(gap.skills)
    return [skill for skill in _flat(known.skills) if skill not in after] if known is not None else []


def wants_path(event: SkillsGapEvent, generation: PathGeneration, *, gap: Gap, path: Path | None) -> bool:
    """Whether a path is made now: when it is asked for, or with `auto` when there is none for this gap.

    That is so after a change, and also when its event became a dead letter and is replayed.
    """
    if event.action == "generate_learning_path":
        return True
    return generation == "auto" and (path is None or path.gap_version != gap.version)


def release(policy: Policy, change: Change, exam_status: ExamStatus | None) -> Release:
    """Whether a path goes out: an update after a failed exam never asks, whatever the policy."""
    if change == "updated" and exam_status == "FAIL":
        return "exam_failure_update"
    return "ask" if policy == "manual" else "auto_policy"


def decided(path: Path | None, event: ApprovalDecisionEvent) -> Approval | None:
    """The pending approval that the event decides; None for a decision that says again what was decided.

    Raises UnknownApprovalError for a request that was never made, was superseded, or was decided otherwise.
    """
    approvals = path.approvals if path is not None else []
    found = next((approval for approval in approvals if approval.approval_id == event.approval_id), None)
    if found is None:
        raise UnknownApprovalError("no approval of this id was requested for this learner and competency")
    if found.state == "pending":
        return found
    if found.state == event.decision and found.state != "changes_requested":
        return None
    state = "superseded by a later revision" if found.state == "superseded" else f"decided already: {found.state}"
    raise UnknownApprovalError(f"the approval of revision {found.revision} was {state}")


def with_approval(approvals: Iterable[Approval], approval: Approval) -> list[Approval]:
    """The approvals with this one as the newest, or in place of what it was."""
    others = {each.approval_id: each for each in approvals}
    return list((others | {approval.approval_id: approval}).values())[-MOST_APPROVALS:]


def _same(one: Skills, other: Skills) -> bool:
    return _pairs(one) == _pairs(other)


def _pairs(skills: Skills) -> set[tuple[str, str]]:
    return {(competency_key(competency), skill) for competency, named in skills.items() for skill in named}


def _flat(skills: Skills) -> dict[str, None]:
    return dict.fromkeys(skill for named in skills.values() for skill in named)
