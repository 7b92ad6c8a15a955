"""Answers of a model, written down once and given again: evals run without a key, and always on the same answers.

A cassette says where its answers come from. An answer belongs to the data it was given for: when prompts' data change,
it has to be recorded again (`make eval RECORD=1`, with a key).
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from clients.llm import Answer, Model, Prompt
from schemas.errors import ModelRejectedError

FOLDER = Path(__file__).parent / "cassettes"


def path_of(fixture: str) -> Path:
    """Where a fixture's cassette is."""
    return FOLDER / f"{fixture}.json"


def key_of(request: Prompt) -> str:
    """What an answer is found by."""
    return hashlib.sha256(request.data.encode()).hexdigest()[:16]


@dataclass
class Cassette:
    """A Model that gives recorded answers. Raises ModelRejectedError for a prompt that has none."""

    name: str
    answers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, fixture: str) -> "Cassette | None":
        """A fixture's cassette, if there is one."""
        if not path_of(fixture).exists():
            return None
        content = json.loads(path_of(fixture).read_text(encoding="utf-8"))
        return cls(content["source"], {key: json.dumps(answer) for key, answer in content["answers"].items()})

    async def generate(self, request: Prompt) -> Answer:
        """Give the recorded answer."""
        if (text := self.answers.get(key_of(request))) is None:
            raise ModelRejectedError("no recorded answer to this prompt: run `make eval RECORD=1` with a key")
        return Answer(text=text, model=self.name, finish_reason="STOP")


class Recorder:
    """A Model that asks another one and writes its answers down."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._answers: dict[str, object] = {}

    @property
    def name(self) -> str:
        """The name of the model within."""
        return self._model.name

    async def generate(self, request: Prompt) -> Answer:
        """Ask, and remember; what is no JSON is not kept."""
        answer = await self._model.generate(request)
        try:
            self._answers[key_of(request)] = json.loads(answer.text)
        except ValueError:
            self._answers.pop(key_of(request), None)
        return answer

    def save(self, fixture: str) -> None:
        """Write the cassette."""
        content = {"source": self.name, "answers": self._answers}
        path_of(fixture).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
