"""Whether the skills-gap flow and the reference model agree: on what came out, and on what is remembered."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from consumers.skills_gap.shelf import Shelf
from consumers.topics import DISTRIBUTION, PATH_PROGRESS
from producers.output import Output
from tests.unit.gap_forms import set_of
from tests.unit.gap_model import Gap, Model, Told

Records = dict[str, list[dict[str, Any]]]


def records_of(outputs: list[Output]) -> Records:
    """By topic; all dead letters under `dead`, by their code."""
    found: Records = defaultdict(list)
    for output in outputs:
        if output.topic.endswith(".dlq"):
            found["dead"].append({"code": dict(output.headers)["pathstream-error-code"].decode()})
        else:
            assert output.value is not None
            record = json.loads(output.value)
            assert output.key == record["user_id"].encode()
            found[output.topic].append(record)
    return found


def agree_on_records(found: Records, told: Told) -> None:
    """The same records in each topic, in all that the model says of them."""
    assert {topic: len(records) for topic, records in found.items()} == {t: len(r) for t, r in told.items()}
    for record in found.get(DISTRIBUTION, ()):
        record["has_path"] = record["learning_path"] is not None
    for topic, records in found.items():
        expected = _in_order(topic, told[topic])
        pairs = zip(_in_order(topic, records), expected, strict=True)
        assert [{name: _read(name, record[name]) for name in fields} for record, fields in pairs] == expected


def closes(record: dict[str, Any], gap: Gap) -> None:
    """Everything that is missing is taught, nothing that is learned, and the facts of seed 001 are right."""
    skills = {skill for _, skill in set_of(gap.skills)}
    taught = {skill for step in record["learning_path"]["steps"] for skill in step["skills_covered"]}
    assert skills <= taught
    forgotten = {skill.casefold() for skill in gap.learned} - {skill.casefold() for skill in skills}
    assert not forgotten & {skill.casefold() for skill in taught}
    assert set(record["profile"]["weaknesses"]) == skills
    assert gap.learned <= set(record["profile"]["strengths"])
    assert {each["skill"] for each in record["recommendations"]} == skills
    offered = {resource["resourceId"] for resource in record["available_resources"]}
    assert all(offered.issuperset(step["resources"]) for step in record["learning_path"]["steps"])


def agree_on_state(shelf: Shelf, model: Model, user: str, gap: Gap | None) -> None:
    """What is remembered of one learner and competency is what the model remembers."""
    found, path, learner = shelf.gap, shelf.path, shelf.learner
    assert (found is None) == (gap is None)
    assert (path is None) == (gap is None or gap.path is None)
    if gap is None or found is None:
        return
    assert set_of(found.skills) == set_of(gap.skills)
    assert (found.exam_status, found.competency_target_name) == (gap.status, gap.name)
    assert (set(found.learned), found.company_id) == (gap.learned, gap.company)
    assert (found.created_at, found.updated_at) == (gap.created_at, gap.updated_at)
    assert learner is not None
    assert learner.user_name == model.names[user]
    company = shelf.company(gap.company)
    assert company is not None
    assert (company.company_name, company.approval_policy) == (model.company_names[user, gap.company], "auto")
    if path is not None and gap.path is not None:
        assert [approval.state for approval in path.approvals] == [each.state for each in gap.path.requests]
        assert path.record.revision == gap.path.revision


def _read(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") else value


def _in_order(topic: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is said of one job is in order; what is said of two has none."""
    return sorted(records, key=lambda record: record["job_id"]) if topic == PATH_PROGRESS else records
