"""A grading model behind the Gemini server: grades by the key, fails where it is told to, keeps a ledger."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.exams import graded_question

NO_ANSWER = "I would rather talk about the weather."


def data_of(request: dict[str, Any]) -> dict[str, Any]:
    """The data of a prompt, as the model sees it."""
    text = request["contents"][0]["parts"][0]["text"]
    data: dict[str, Any] = json.loads(text.removeprefix("<data>\n").removesuffix("\n</data>"))
    return data


@dataclass
class ExamGrader:
    """What the server answers. `failing` are question numbers whose batches get no usable answer."""

    failing: set[int] = field(default_factory=set)
    paid: Counter[int] = field(default_factory=Counter)
    """How often each question was asked about: the ledger."""
    calls: list[tuple[int, ...]] = field(default_factory=list)
    """The questions of each grading call, in the order of the calls; () for a summary."""

    def text(self, request: dict[str, Any]) -> str:
        """Answer one call; give it to the server as `text`."""
        data = data_of(request)
        if "questions" not in data:
            self.calls.append(())
            return json.dumps(_summary(data))
        numbers = tuple(question["number"] for question in data["questions"])
        self.calls.append(numbers)
        self.paid.update(numbers)
        if self.failing.intersection(numbers):
            return NO_ANSWER
        return json.dumps({"questions": [graded_question(q, _marks(q)) for q in data["questions"]]})


def _marks(question: dict[str, Any]) -> int:
    """Mark as the fixtures' made-up exams are to be marked: the key's word, number or option earns everything."""
    answer, marks = question["student_answer"] or {}, int(question["marks"])
    if "selected" in answer:
        correct = [option["label"] for option in question["options"] if option["correct"]]
        return marks if answer["selected"] == correct else 0
    said = str(answer.get("number", answer.get("text", "")))
    return marks if question["correct_answer"] in said.replace(".0", "").split() else 0


def _summary(data: dict[str, Any]) -> dict[str, Any]:
    lost = [entry["number"] for entry in data["lost"]]
    steps = [
        {
            "topic": f"Topic {n}",
            "reason": "You lost marks here.",
            "action": "Do it again.",
            "related_questions": lost[:3],
        }
        for n in (1, 2)
    ]
    return {"recommendations": steps if lost else [], "encouragement_message": "You are getting there."}
