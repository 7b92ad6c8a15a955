"""What goes into the skills-gap flow: events as the model reads them, and the shapes in which they are sent."""

import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

Skills = dict[str, list[str]]

SKILLS = ["hooks", "Hooks", "grid", "état", "async"]
COMPETENCIES = ["Front End", "FRONT end ", "Ärger", unicodedata.normalize("NFD", "ärger")]


def same_name(name: str) -> str:
    """What two spellings of one competency have in common."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", " ".join(name.split())).casefold())


def set_of(gap: Skills) -> set[tuple[str, str]]:
    """What is missing: neither order nor spelling of competencies matters."""
    return {(same_name(competency), skill) for competency, skills in gap.items() for skill in skills}


@dataclass
class GapEvent:
    """`skills_gap_updated` after reading: names in one form, spellings of a competency put together."""

    job: str
    user: str
    user_name: str | None
    company: str
    company_name: str | None
    competency: str
    status: str | None
    gap: Skills | None
    generate: bool = False


@dataclass
class Decision:
    """`approval_decision`; `request` counts the competency's requests from 0, None is one that never was."""

    job: str
    user: str
    competency: str
    request: int | None
    verdict: str


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
