"""The skills-gap flow: what happens to a gap, and to what a decision maker says (seed 000)."""

from typing import assert_never

import structlog

from clients.clock import Clock
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.skills_gap import rules
from consumers.skills_gap.case import Case, Companies
from consumers.skills_gap.path_maker import PathMaker
from consumers.topics import (
    APPROVAL_DECISION,
    APPROVAL_REQUESTED,
    DISTRIBUTION,
    LEARNING_PATH,
    PATH_PROGRESS,
    SKILLS_GAP_GROUP,
    SKILLS_GAP_UPDATED,
)
from schemas import codec
from schemas.gap import ApprovalDecisionEvent, SkillsGapEvent, competency_key

_log = structlog.get_logger("pathstream.skills_gap")

GapFlowEvent = SkillsGapEvent | ApprovalDecisionEvent


class SkillsGapConsumer:
    """Updates the gap, has the path made, asks or distributes."""

    def __init__(
        self,
        *,
        paths: PathMaker,
        companies: Companies,
        generation: rules.PathGeneration,
        clock: Clock,
        max_event_bytes: int,
    ) -> None:
        self._paths = paths
        self._companies = companies
        self._generation = generation
        self._clock = clock
        self._max_event_bytes = max_event_bytes

    def flow(self) -> Flow[GapFlowEvent]:
        """What the engine runs."""
        return Flow(
            name="skills_gap",
            group_id=SKILLS_GAP_GROUP,
            inputs=(SKILLS_GAP_UPDATED, APPROVAL_DECISION),
            outputs=(LEARNING_PATH, DISTRIBUTION, APPROVAL_REQUESTED, PATH_PROGRESS),
            decode=self.decode,
            handle=self.handle,
            give_up=self.give_up,
            stateful=True,
        )

    def decode(self, value: bytes | None, topic: str) -> GapFlowEvent:
        """Read the event; raises EventError."""
        if topic == APPROVAL_DECISION:
            return codec.decode(ApprovalDecisionEvent, value, max_bytes=self._max_event_bytes)
        return codec.decode(SkillsGapEvent, value, max_bytes=self._max_event_bytes)

    async def handle(self, event: GapFlowEvent, context: Context) -> None:
        """One event, with everything that follows from it."""
        case = self._case(event, context)
        match event:
            case SkillsGapEvent():
                await self._gap(event, case, context)
            case ApprovalDecisionEvent():
                await self._decision(event, case, context)
            case _:
                assert_never(event)

    def give_up(self, event: GapFlowEvent, context: Context) -> None:
        """The gap is true although no path could be made for it: keep it, and tell whoever waits for the path.

        Nobody waits for one because of a decision on nothing that is pending.
        """
        case = self._case(event, context)
        match event:
            case SkillsGapEvent():
                if event.gap is not None:
                    case.update(event)
            case ApprovalDecisionEvent():
                if not case.waits_for(event.approval_id):
                    return
            case _:
                assert_never(event)
        case.fail(event.competency_target_name)

    def _case(self, event: GapFlowEvent, context: Context) -> Case:
        return Case(context, competency_key(event.competency_target_name), self._companies, self._clock)

    async def _gap(self, event: SkillsGapEvent, case: Case, context: Context) -> None:
        gap, changed = case.update(event)
        if rules.is_closed(gap):
            case.close(gap, changed=changed)
        elif rules.wants_path(event, self._generation, gap=gap, path=case.path):
            case.store(gap, await self._paths.make(context, gap))
        else:
            case.leave(gap, changed=changed)

    async def _decision(self, event: ApprovalDecisionEvent, case: Case, context: Context) -> None:
        gap, path = case.gap, case.path
        pending = rules.decided(path, event)
        if pending is None or path is None or gap is None:
            _log.info("decision heard again", approval_id=event.approval_id)
            return
        path = case.decide(path, pending.model_copy(update={"state": event.decision}))
        match event.decision:
            case "approved":
                case.approve(gap, path, pending.source_event_id)
            case "rejected":
                case.reject(gap, pending.source_event_id)
            case "changes_requested":
                made = await self._paths.revise(context, gap, path, event.feedback or "")
                case.store(gap, made, always_ask=True)
            case _:
                assert_never(event.decision)
        _log.info("decision", approval_id=event.approval_id, decision=event.decision, revision=pending.revision)
