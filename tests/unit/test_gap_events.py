"""The events of the skills-gap flow: every shape that seed 000 and its senders use, and what is none."""

import json
import unicodedata
from typing import Any

import pytest

from schemas import codec
from schemas.errors import InvalidEventError
from schemas.gap import MOST_SKILLS, ApprovalDecisionEvent, SkillsGapEvent, competency_key
from tests.unit.gap_forms import COMPETENCIES, SKILLS, merged

PAYLOAD: dict[str, Any] = {
    "action": "update_skills_gap",
    "user_id": "user-456",
    "user_name": "John Doe",
    "company_id": "company-1",
    "company_name": "TechCorp Inc.",
    "competency_target_name": "React Development",
    "exam_status": "FAIL",
    "gap": {"Competency_Front_End_Development": ["MGS_React_Hooks_Advanced", "MGS_Flexbox_Grid_System"]},
}
DECISION = {
    "approval_id": "a-1",
    "user_id": "user-456",
    "competency_target_name": "React Development",
    "decision": "approved",
}


def read(event: object) -> SkillsGapEvent:
    return codec.decode(SkillsGapEvent, json.dumps(event).encode(), max_bytes=2**20)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(PAYLOAD, id="the payload bare"),
        pytest.param({"requester_service": "assessment", "payload": PAYLOAD}, id="seed 000's body as it stands"),
        pytest.param(
            {"eventType": "SKILLS_GAP_UPDATED", "userId": "user-456", "eventData": PAYLOAD}, id="the envelope"
        ),
        pytest.param({"event_data": {"requester_service": "assessment", "payload": PAYLOAD}}, id="both"),
    ],
)
def test_the_shapes_of_seed_000_are_one_event(event: dict[str, Any]) -> None:
    assert read(event) == read(PAYLOAD)


def test_missing_skills_map_is_another_name_for_gap_and_camel_case_for_snake_case() -> None:
    renamed = {name: value for name, value in PAYLOAD.items() if name != "gap"}
    assert read(renamed | {"missing_skills_map": PAYLOAD["gap"]}) == read(PAYLOAD)
    camel = {"userId": "user-456", "companyId": "company-1", "competencyTargetName": "React Development"}
    assert read(camel | {"missingSkillsMap": {}}).gap == {}


def test_the_envelopes_id_is_the_events() -> None:
    assert read({"eventId": "e-1", "eventData": PAYLOAD}).event_id == "e-1"
    assert read({"eventId": "e-1", "eventData": PAYLOAD | {"eventId": None}}).event_id == "e-1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gap": ["a"]}, "gap"),
        ({"gap": {"A": [1]}}, "gap"),
        ({"gap": {"A": "one"}}, "gap"),
        ({"gap": {" ": ["x"]}}, "gap"),
        ({"gap": {"": []}}, "gap"),
        ({"gap": {"A" * 301: ["x"]}}, "gap"),
        ({"gap": {"A": [""]}}, "gap"),
        ({"gap": None}, "gap"),
        ({"gap": {"A": [f"s{n}" for n in range(MOST_SKILLS + 1)]}}, "10,000 skills"),
        ({"company_id": None}, "company"),
        ({"company_id": ""}, "company"),
        ({"user_id": " "}, "user"),
        ({"competency_target_name": " \t"}, "competency"),
        ({"exam_status": "MAYBE"}, "exam"),
        ({"action": "drop_everything"}, "action"),
    ],
)
def test_what_is_no_event_is_refused_with_the_place(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidEventError, match=told):
        read(PAYLOAD | changes)


def test_two_learners_in_one_event_are_refused() -> None:
    with pytest.raises(InvalidEventError, match="differ"):
        read({"userId": "somebody-else", "eventData": PAYLOAD})


@pytest.mark.parametrize("learner", [["a"], {"a": 1}, 5, True])
def test_a_learner_in_an_envelope_who_is_no_string_is_no_event(learner: object) -> None:
    with pytest.raises(InvalidEventError, match="user"):
        read({"payload": PAYLOAD | {"user_id": learner}})


def test_five_thousand_skills_are_an_event() -> None:
    gap = {f"C{n}": [f"MGS_{n}_{m}" for m in range(100)] for n in range(50)}
    event = read(PAYLOAD | {"gap": gap})
    assert event.gap == gap


def test_a_request_to_generate_needs_no_gap() -> None:
    event = {name: value for name, value in PAYLOAD.items() if name != "gap"}
    assert read(event | {"action": "generate_learning_path"}).gap is None


def test_competencies_that_differ_in_case_spaces_or_unicode_form_are_one() -> None:
    name = "Développement  Frontal"
    spellings = [name, name.upper(), unicodedata.normalize("NFD", name), f" {name} "]
    assert len({competency_key(spelling) for spelling in spellings}) == 1
    assert competency_key(name) != competency_key("Developpement Frontal")
    gap = {"Réact": ["a", "b"], unicodedata.normalize("NFD", "RÉACT"): ["b", "c"], "Vue": []}
    assert read(PAYLOAD | {"gap": gap}).gap == {"Réact": ["a", "b", "c"]}
    gap = {"Réact  JS": ["a"], unicodedata.normalize("NFD", "Réact JS"): ["b"], " Réact JS": ["c"]}
    assert read(PAYLOAD | {"gap": gap}).gap == {"Réact JS": ["a", "b", "c"]}


def test_a_decision_that_asks_for_changes_says_which() -> None:
    def decide(**changes: Any) -> ApprovalDecisionEvent:
        return codec.decode(ApprovalDecisionEvent, json.dumps(DECISION | changes).encode(), max_bytes=2**20)

    assert decide().decision == "approved"
    assert decide(decision="changes_requested", feedback="shorter").feedback == "shorter"
    with pytest.raises(InvalidEventError, match="feedback"):
        decide(decision="changes_requested", feedback=" ")


def test_the_reference_model_reads_a_gap_as_the_schema_does() -> None:
    """The model's own idea of one spelling is not the code's: they agree on what they are both used for."""
    gap = {spelling: [skill] for spelling, skill in zip(COMPETENCIES, SKILLS, strict=False)}
    event = {"user_id": "u", "company_id": "c", "competency_target_name": "x", "gap": gap}
    assert SkillsGapEvent.model_validate(event).gap == merged(gap)
