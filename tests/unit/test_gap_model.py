"""Random sequences of gaps, decisions and companies: the flow and a reference model agree after every event.

PATHSTREAM_GAP_SEQUENCES says how many sequences each test draws.
"""

import asyncio
import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from consumers.settings import Settings
from consumers.topics import APPROVAL_DECISION, APPROVAL_REQUESTED, PATH_PROGRESS, SKILLS_GAP_UPDATED
from producers.output import Output
from schemas.gap import SkillsGapEvent
from tests.unit.gap_model import Decision, GapEvent, Model, Skills, Told, same_name, set_of
from tests.unit.gap_world import Neighbours, World

SEQUENCES = int(os.environ.get("PATHSTREAM_GAP_SEQUENCES", "300"))
EVENTS = 16

LEARNERS = ["ann", "ann", "bob"]
COMPANIES = ["acme", "acme", "zenith"]
SKILLS = ["hooks", "Hooks", "grid", "état", "async"]
LEARNED_BEFORE = "never missing"
REACT = ["Réact  Développement", "RÉACT développement", unicodedata.normalize("NFD", "Réact Développement")]
TARGETS = [*REACT, "Vue"]
COMPETENCIES = ["Front End", "FRONT end ", "Ärger", unicodedata.normalize("NFD", "ärger")]

gaps = st.dictionaries(
    st.sampled_from(COMPETENCIES), st.lists(st.sampled_from(SKILLS), max_size=4, unique=True), max_size=3
)
places = st.integers(0, 3)
policies = st.sampled_from(["manual", "manual", "auto", None])


def one_form(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))


def merged(gap: Skills) -> Skills:
    """The gap as every reader sees it: each competency once, as it was first spelled, none without skills."""
    found: dict[str, tuple[str, list[str]]] = {}
    for competency, named in gap.items():
        _, skills = found.setdefault(same_name(competency), (one_form(competency), []))
        skills += [skill for skill in map(one_form, named) if skill not in skills]
    return {name: skills for name, skills in found.values() if skills}


def in_shape(shape: str, event_id: str | None, payload: dict[str, Any]) -> dict[str, Any]:
    """One of the three shapes of seed 000's request."""
    if shape == "body":
        return {"eventId": event_id, "requester_service": "assessment", "payload": payload}
    if shape == "envelope":
        kind = {"eventId": event_id, "eventType": "SKILLS_GAP_UPDATED", "userId": payload["user_id"]}
        return kind | {"eventData": payload}
    return payload | {"event_id": event_id}


class Sent(NamedTuple):
    """An event that was handled, to be sent again."""

    topic: str
    value: bytes
    user: str


class Asked(NamedTuple):
    """A request for approval that came out."""

    user: str
    goal: str
    id: str


class GapMachine(RuleBasedStateMachine):
    """Draws events; every rule ends with the comparison."""

    def __init__(self, runner: asyncio.Runner, neighbours: Neighbours, given: Settings) -> None:
        super().__init__()
        self._runner = runner
        self._world = World(neighbours, given)
        self._model = Model(auto=given.path_generation == "auto")
        self._approvals: list[Asked] = []
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
        event = Decision(self._new_id(), user, goal, request, verdict)
        sent = {"event_id": event.job, "approval_id": approval_id, "user_id": user, "competency_target_name": goal}
        sent |= {"decision": verdict, "feedback": "Shorter"}
        outputs = self._send(APPROVAL_DECISION, json.dumps(sent).encode(), user, commit=commit)
        self._compare(outputs, self._model.decided(event, self._world.clock.now()), user, goal)

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
        found = self._records(outputs)
        gap = self._model.gaps.get((user, same_name(goal)))
        for record in found.get(APPROVAL_REQUESTED, ()):
            assert record["approval_id"] not in {each.id for each in self._approvals}
            self._approvals.append(Asked(user, same_name(goal), record["approval_id"]))
        assert decided_fields(found, told) == by_job(told)
        for record in found.get("learning_path", ()):
            assert gap is not None
            self._closes_the_gap(record, set_of(gap.skills), gap.learned)
        shelf = self._world.remembered(goal)
        assert (shelf.gap is None) == (gap is None)
        assert (shelf.path is None) == (gap is None or gap.path is None)
        if gap is None or shelf.gap is None:
            return
        assert set_of(shelf.gap.skills) == set_of(gap.skills)
        assert (shelf.gap.exam_status, shelf.gap.competency_target_name) == (gap.status, gap.name)
        assert (set(shelf.gap.learned), shelf.gap.company_id) == (gap.learned, gap.company)
        assert (shelf.gap.created_at, shelf.gap.updated_at) == (gap.created_at, gap.updated_at)
        assert shelf.learner is not None
        assert shelf.learner.user_name == self._model.names[user]
        heard_of = shelf.company(gap.company)
        assert heard_of is not None
        assert (heard_of.company_name, heard_of.approval_policy) == (
            self._model.company_names[user, gap.company],
            "auto",
        )
        if shelf.path is not None and gap.path is not None:
            assert [approval.state for approval in shelf.path.approvals] == [each.state for each in gap.path.requests]
            assert shelf.path.record.revision == gap.path.revision

    def _records(self, outputs: list[Output]) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for output in outputs:
            if output.topic.endswith(".dlq"):
                found["dead"].append({"code": dict(output.headers)["pathstream-error-code"].decode()})
            else:
                assert output.value is not None
                record = json.loads(output.value)
                assert output.key == record["user_id"].encode()
                found[output.topic].append(record)
        return found

    def _closes_the_gap(self, record: dict[str, Any], missing: set[tuple[str, str]], learned: set[str]) -> None:
        """Everything that is missing is taught, nothing that is learned, and the facts of seed 001 are right."""
        skills = {skill for _, skill in missing}
        taught = [skill for step in record["learning_path"]["steps"] for skill in step["skills_covered"]]
        assert skills <= set(taught)
        forgotten = {skill.casefold() for skill in learned} - {skill.casefold() for skill in skills}
        assert not forgotten & {skill.casefold() for skill in taught}
        assert set(record["profile"]["weaknesses"]) == skills
        assert learned <= set(record["profile"]["strengths"])
        assert {each["skill"] for each in record["recommendations"]} == skills
        offered = {resource["resourceId"] for resource in record["available_resources"]}
        assert all(offered.issuperset(step["resources"]) for step in record["learning_path"]["steps"])


def decided_fields(found: dict[str, list[dict[str, Any]]], told: Told) -> Told:
    """The records' fields that the model speaks of."""
    assert {topic: len(records) for topic, records in found.items()} == {t: len(r) for t, r in told.items()}
    for record in found.get("distribution", ()):
        record["has_path"] = record["learning_path"] is not None
    fields = {
        topic: [
            {name: read(name, record[name]) for name in expected}
            for record, expected in zip(in_order(topic, records), by_job(told)[topic], strict=True)
        ]
        for topic, records in found.items()
    }
    return dict(fields)


def read(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") else value


def by_job(told: Told) -> Told:
    return {topic: in_order(topic, records) for topic, records in told.items()}


def in_order(topic: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is said of one job is in order; what is said of two has none."""
    return sorted(records, key=lambda record: record["job_id"]) if topic == PATH_PROGRESS else records


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.timeout(900)
@pytest.mark.parametrize("generation", ["auto", "manual"])
def test_any_sequence_of_events_ends_as_the_rules_say(
    runner: asyncio.Runner, generation: Literal["auto", "manual"]
) -> None:
    given = Settings(path_generation=generation)
    neighbours = runner.run(Neighbours([*SKILLS, LEARNED_BEFORE]).__aenter__())
    try:
        run_state_machine_as_test(
            partial(GapMachine, runner, neighbours, given),  # type: ignore[arg-type] # a factory does
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=EVENTS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        runner.run(neighbours.__aexit__())


def test_the_model_reads_a_gap_as_the_schema_does() -> None:
    """The model's own idea of one spelling is not the code's: they agree on what they are both used for."""
    gap = {spelling: [skill] for spelling, skill in zip(COMPETENCIES, SKILLS, strict=False)}
    event = {"user_id": "u", "company_id": "c", "competency_target_name": "x", "gap": gap}
    assert SkillsGapEvent.model_validate(event).gap == merged(gap)
