"""Random sequences of gaps, decisions and companies: the flow and a reference model agree after every event.

PATHSTREAM_GAP_SEQUENCES says how many sequences each test draws.
"""

import asyncio
import json
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from consumers.settings import Settings
from consumers.topics import APPROVAL_DECISION, APPROVAL_REQUESTED, LEARNING_PATH, SKILLS_GAP_UPDATED
from producers.output import Output
from tests.unit.gap_checks import agree_on_records, agree_on_state, closes, records_of
from tests.unit.gap_forms import (
    COMPETENCIES,
    SKILLS,
    Asked,
    Decision,
    GapEvent,
    Sent,
    Skills,
    in_shape,
    merged,
    one_form,
    same_name,
)
from tests.unit.gap_model import Model, Told
from tests.unit.gap_world import Neighbours, World

SEQUENCES = int(os.environ.get("PATHSTREAM_GAP_SEQUENCES", "300"))
EVENTS = 16

LEARNERS = ["ann", "ann", "bob"]
COMPANIES = ["acme", "acme", "zenith"]
LEARNED_BEFORE = "never missing"
REACT = ["Réact  Développement", "RÉACT développement", unicodedata.normalize("NFD", "Réact Développement")]
TARGETS = [*REACT, "Vue"]

gaps = st.dictionaries(
    st.sampled_from(COMPETENCIES), st.lists(st.sampled_from(SKILLS), max_size=4, unique=True), max_size=3
)
places = st.integers(0, 3)
policies = st.sampled_from(["manual", "manual", "auto", None])


class GapMachine(RuleBasedStateMachine):
    """Draws events; every rule ends with the comparison."""

    def __init__(self, runner: asyncio.Runner, neighbours: Neighbours, given: Settings) -> None:
        super().__init__()
        self._runner = runner
        self._world = World(neighbours, given)
        self._model = Model(auto=given.path_generation == "auto")
        self._approvals: list[Asked] = []
        self._decisions: list[tuple[Decision, str]] = []
        self._handled: list[Sent] = []
        self._events = 0

    @rule(
        user=st.sampled_from(LEARNERS),
        goal=st.sampled_from(TARGETS),
        gap=gaps,
        status=st.sampled_from([None, None, "FAIL", "fail", "PASS"]),
        company=st.sampled_from(COMPANIES),
        names=st.sampled_from([(None, None), ("Ann", None), ("Bob", "Acme Inc."), ("Ann B.", "Zenith")]),
        action=st.sampled_from(["update_skills_gap", "create_skills_gap", "generate_learning_path"]),
        shape=st.sampled_from(["body", "envelope", "bare"]),
        alias=st.sampled_from(["gap", "missing_skills_map"]),
        commit=st.booleans(),
    )
    def gap_updated(  # noqa: PLR0917 - everything that one event says
        self, user: str, goal: str, gap: Skills, status: str | None, company: str,
        names: tuple[str | None, str | None], action: str, shape: str, alias: str, *, commit: bool,
    ) -> None:  # fmt: skip
        user_name, company_name = names
        payload: dict[str, Any] = {"user_id": user, "company_id": company, "competency_target_name": goal}
        payload |= {"exam_status": status}
        payload |= {"user_name": user_name, "company_name": company_name, "action": action, alias: gap}
        event = GapEvent(
            self._new_id(), user, user_name, company, company_name, one_form(goal),
            status.upper() if status else None, merged(gap), generate=action == "generate_learning_path",
        )  # fmt: skip
        self._gap(event, in_shape(shape, event.job, payload), commit=commit)

    @precondition(lambda self: self._model.gaps)
    @rule(place=places, turned=st.booleans())
    def the_same_gap_again(self, place: int, *, turned: bool) -> None:
        """Also with its skills in another order and its competencies in capitals."""
        (user, goal), known = list(self._model.gaps.items())[place % len(self._model.gaps)]
        gap = {name.upper(): named[::-1] for name, named in known.skills.items()} if turned else known.skills
        event = GapEvent(self._new_id(), user, None, known.company, None, one_form(goal), known.status, gap)
        payload = {"user_id": user, "company_id": known.company, "competency_target_name": goal, "gap": gap}
        self._gap(event, in_shape("bare", event.job, payload | {"exam_status": known.status}), commit=True)

    @rule(user=st.sampled_from(LEARNERS), goal=st.sampled_from(TARGETS), company=st.sampled_from(COMPANIES))
    def path_asked_for(self, user: str, goal: str, company: str) -> None:
        event = GapEvent(
            self._new_id(), user, None, company, None, one_form(goal), None, None, generate=True
        )  # fmt: skip
        payload = {"user_id": user, "company_id": company, "competency_target_name": goal}
        payload |= {"action": "generate_learning_path"}
        self._gap(event, in_shape("body", event.job, payload), commit=True)

    @precondition(lambda self: self._approvals)
    @rule(
        verdict=st.sampled_from(["approved", "approved", "rejected", "changes_requested"]),
        back=places,
        commit=st.booleans(),
        by=st.sampled_from(["its learner", "its learner", "its learner", "somebody else"]),
    )
    def decided(self, verdict: str, back: int, by: str, *, commit: bool) -> None:
        """On the newest request, an older one, or one that this learner never had."""
        user, goal, approval_id = self._approvals[-1 - back % len(self._approvals)]
        request: int | None = [each.id for each in self._asked(user, goal)].index(approval_id)
        if by == "somebody else":
            user, request = LEARNERS[0] if user == LEARNERS[-1] else LEARNERS[-1], None
        self._decide(Decision(self._new_id(), user, goal, request, verdict), approval_id, commit=commit)

    @precondition(lambda self: self._decisions)
    @rule(back=places, verdict=st.sampled_from([None, None, "approved"]))
    def decided_again(self, back: int, verdict: str | None) -> None:
        """On a request that was decided before: the same, or something else."""
        before, approval_id = self._decisions[-1 - back % len(self._decisions)]
        event = Decision(self._new_id(), before.user, before.competency, before.request, verdict or before.verdict)
        self._decide(event, approval_id, commit=True)

    @initialize(policy=st.sampled_from(["manual", "manual", None]))
    def most_learners_work_for_acme(self, policy: str | None) -> None:
        self.company_updated("acme", policy, "Acme")

    @rule(company=st.sampled_from(COMPANIES), policy=policies, name=st.sampled_from([None, "As the Directory says"]))
    def company_updated(self, company: str, policy: str | None, name: str | None) -> None:
        row: dict[str, Any] | None = None
        if policy is not None:
            boss = {"employee_id": "boss", "employee_name": "Ada", "employee_email": None} if name else None
            row = {"company_id": company, "company_name": name, "approval_policy": policy, "decision_maker": boss}
        self._world.company(company, row)
        self._model.company_updated(company, row)

    @precondition(lambda self: self._handled)
    @rule(back=places)
    def the_same_event_id_again(self, back: int) -> None:
        sent = self._handled[-1 - back % len(self._handled)]
        assert self._send(*sent, commit=True) == [], "it was handled before"

    @rule()
    def another_worker_takes_over(self) -> None:
        self._world.restart()

    @rule(away=st.booleans())
    def the_skills_engine_comes_and_goes(self, *, away: bool) -> None:
        self._world.neighbours.engine_is_away = self._model.engine_is_away = away

    def teardown(self) -> None:
        assert self._world.left_over() == [], "journals of events that are done"

    def _asked(self, user: str, goal: str) -> list[Asked]:
        return [each for each in self._approvals if each[:2] == (user, goal)]

    def _decide(self, event: Decision, approval_id: str, *, commit: bool) -> None:
        sent = {"event_id": event.job, "approval_id": approval_id, "user_id": event.user, "feedback": "Shorter"}
        sent |= {"competency_target_name": event.competency, "decision": event.verdict}
        outputs = self._send(APPROVAL_DECISION, json.dumps(sent).encode(), event.user, commit=commit)
        self._decisions.append((event, approval_id))
        self._compare(outputs, self._model.decided(event, self._world.clock.now()), event.user, event.competency)

    def _new_id(self) -> str:
        self._events += 1
        return f"e-{self._events}"

    def _gap(self, event: GapEvent, sent: dict[str, Any], *, commit: bool) -> None:
        outputs = self._send(SKILLS_GAP_UPDATED, json.dumps(sent).encode(), event.user, commit=commit)
        told = self._model.gap_updated(event, self._world.clock.now())
        self._compare(outputs, told, event.user, event.competency)

    def _send(self, topic: str, value: bytes, user: str, *, commit: bool) -> list[Output]:
        self._world.clock.advance(1)
        outputs = self._runner.run(self._world.handle(topic, value, user, commit=commit))
        if not any(output.topic.endswith(".dlq") for output in outputs):
            self._handled.append(Sent(topic, value, user))
        return outputs

    def _compare(self, outputs: list[Output], told: Told, user: str, goal: str) -> None:
        found = records_of(outputs)
        for record in found.get(APPROVAL_REQUESTED, ()):
            assert record["approval_id"] not in {each.id for each in self._approvals}
            self._approvals.append(Asked(user, same_name(goal), record["approval_id"]))
        agree_on_records(found, told)
        gap = self._model.gaps.get((user, same_name(goal)))
        for record in found.get(LEARNING_PATH, ()):
            assert gap is not None
            closes(record, gap)
        agree_on_state(self._world.remembered(goal), self._model, user, gap)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@contextmanager
def serving_neighbours(runner: asyncio.Runner) -> Iterator[Neighbours]:
    neighbours = runner.run(Neighbours([*SKILLS, LEARNED_BEFORE]).__aenter__())
    try:
        yield neighbours
    finally:
        runner.run(neighbours.__aexit__())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("generation", ["auto", "manual"])
def test_any_sequence_of_events_ends_as_the_rules_say(
    runner: asyncio.Runner, generation: Literal["auto", "manual"]
) -> None:
    with serving_neighbours(runner) as neighbours:
        machine = partial(GapMachine, runner, neighbours, Settings(path_generation=generation))
        run_state_machine_as_test(
            machine,  # type: ignore[arg-type] # a factory does
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=EVENTS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_a_path_is_approved_for_the_company_that_its_learner_is_with_now(runner: asyncio.Runner) -> None:
    """Said again without another gap, the company changes and the path that waits stays."""
    with serving_neighbours(runner) as neighbours:
        machine = GapMachine(runner, neighbours, Settings(path_generation="manual"))
        machine.company_updated("acme", "manual", None)
        for company, action in (("acme", "generate_learning_path"), ("zenith", "update_skills_gap")):
            machine.gap_updated(
                LEARNERS[0], TARGETS[0], {"Front End": ["Hooks"]}, None, company,
                (None, None), action, "body", "gap", commit=True,
            )  # fmt: skip
        machine.decided("approved", 0, "its learner", commit=True)
