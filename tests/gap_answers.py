"""What a model answers to seed 000's three prompts, computed from the prompt's data as a model would from its sense."""

import json
from typing import Any

from tests.gemini_server import plan_json, schema_of

EXPANSION, NAMES, PLAN = "SkillExpansion", "CompetencyNames", "GapPathPlan"
"""The schemas that the three prompts ask for."""


def gap_answer(request: dict[str, Any]) -> str:
    """Expands by one skill a competency, names them the other way round, plans one step for each."""
    text = request["contents"][0]["parts"][0]["text"]
    data = json.loads(text.removeprefix("<data>\n").removesuffix("\n</data>")) if text.startswith("<data>") else {}
    match schema_of(request):
        case "SkillExpansion":
            skills = [{"competency": name, "skills": [*own, f"{name} by hand"]} for name, own in data["gap"].items()]
            return json.dumps({"competencies": skills})
        case "CompetencyNames":
            return json.dumps({"competencies": list(reversed(data["competencies"]))})
        case "GapPathPlan":
            return json.dumps(_plan(data))
        case _:
            return plan_json()


def _plan(data: dict[str, Any]) -> dict[str, Any]:
    steps = [
        {
            "step_number": number,
            "title": f"About {name}",
            "description": f"Learn {len(skills)} skills, {data['feedback'] or 'nobody asked for more'}.",
            "estimated_duration": "1 week",
            "skills_covered": skills,
        }
        for number, (name, skills) in enumerate(data["skills"].items(), start=1)
    ]
    return {
        "goal": f"Reach {data['target']}",
        "difficulty_level": "intermediate",
        "total_duration": f"{len(steps)} weeks",
        "steps": steps,
        "summary": "Knows a lot, lacks a little.",
        "reasons": [{"skill": skill, "reason": f"{skill} is next."} for skill in data["recommended"]],
    }
