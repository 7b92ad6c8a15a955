"""Answers of a model, written down once and given again: evals run without a key, and always on the same answers.

A cassette says where its answers come from. An answer is found by the data it was given for: when that changes, there
is none, and the error says what to do. Where only the instructions have changed, the old answer is given and reported.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clients.llm import Answer, Model, Prompt
from schemas.errors import ModelBlockedError, ModelError, ModelMalformedError, ModelTruncatedError

FOLDER = Path(__file__).parent / "cassettes"
RECORDED = "Recorded."
RECORD = "make eval RECORD=1, with GOOGLE_API_KEY"

_NO_ANSWERS: tuple[type[ModelError], ...] = (ModelBlockedError, ModelTruncatedError, ModelMalformedError)
"""What a model does to a prompt, and does again: recorded like an answer."""


class CassetteError(Exception):
    """There is no recorded answer, or none could be recorded.

    No ModelError: the agent would grade on without the model, and the table would show that as the model's work.
    """


class Take(BaseModel):
    """One call: what was asked, and what came back. `data` and `instructions` are digests of the prompt's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked: str
    data: str
    instructions: str
    answer: dict[str, object] | str | None = None
    """The JSON object, or the text as it came where it is none; None where there was an error instead."""
    error: str | None = None

    def replay(self, model: str) -> Answer:
        """Give the answer, or raise the error, as `model` did."""
        for kind in _NO_ANSWERS:
            if self.error == kind.__name__:
                raise kind(f"recorded: {self.asked}")
        text = self.answer if isinstance(self.answer, str) else json.dumps(self.answer, ensure_ascii=False)
        return Answer(text=text, model=model, finish_reason="STOP")


class Tape(BaseModel):
    """A cassette's file: `source` is who answered, `note` how the answers came about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    note: str
    takes: list[Take] = Field(default_factory=list)


class Cassette:
    """A Model that gives recorded answers. Raises CassetteError for a prompt that has none."""

    def __init__(self, fixture: str, tape: Tape) -> None:
        self.name = tape.source
        self.note = tape.note
        self.outdated: dict[str, str] = {}
        """Digests of instructions that takes given so far belong to, and those of today's in their place."""
        self._fixture = fixture
        self._takes = tape.takes

    @classmethod
    def load(cls, fixture: str, folder: Path = FOLDER) -> "Cassette":
        """A fixture's cassette; raises CassetteError where there is none."""
        path = path_of(fixture, folder)
        if not path.exists():
            raise CassetteError(f"no recorded answers; record them: {RECORD}")
        return cls(fixture, Tape.model_validate_json(path.read_bytes()))

    async def generate(self, request: Prompt) -> Answer:
        """Give the answer to this very prompt, else the last one to its data."""
        data, instructions = digest(request.data), digest(request.instructions)
        takes = [take for take in self._takes if take.data == data]
        if not takes:
            raise CassetteError(
                f"no recorded answer to what is asked now about {asked_of(request)}; record anew: {RECORD}."
                f" Where an answer that was written still fits, change its `data` to {data}"
            )
        same = [take for take in takes if take.instructions == instructions]
        if not same:
            self.outdated[takes[-1].instructions] = instructions
        return (same or takes)[-1].replay(self.name)


class Recorder:
    """A Model that asks another one and writes down what it does. Raises CassetteError when it cannot be asked."""

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self._model = model
        self._takes: list[Take] = []

    async def generate(self, request: Prompt) -> Answer:
        """Ask, and remember."""
        try:
            answer = await self._model.generate(request)
        except _NO_ANSWERS as exc:
            self._takes.append(take_of(request, error=type(exc).__name__))
            raise
        except ModelError as exc:
            raise CassetteError(f"nothing was recorded, the cassette stays as it was: {exc}") from exc
        self._takes.append(take_of(request, answer=_json_or_text(answer.text)))
        return answer

    def save(self, fixture: str, folder: Path = FOLDER) -> None:
        """Write the cassette."""
        write_tape(path_of(fixture, folder), Tape(source=self.name, note=RECORDED, takes=self._takes))


def path_of(fixture: str, folder: Path = FOLDER) -> Path:
    """Where a fixture's cassette is."""
    return folder / f"{fixture}.json"


def write_tape(path: Path, tape: Tape) -> None:
    """Write a cassette's file, legibly."""
    content = tape.model_dump(exclude_none=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def take_of(request: Prompt, *, answer: dict[str, object] | str | None = None, error: str | None = None) -> Take:
    """What is written down of one call."""
    return Take(
        asked=asked_of(request),
        data=digest(request.data),
        instructions=digest(request.instructions),
        answer=answer,
        error=error,
    )


def asked_of(request: Prompt) -> str:
    """What a prompt asks about, in words for a reader."""
    data = json.loads(request.data.removeprefix("<data>\n").removesuffix("\n</data>"))
    numbers: Sequence[int] = [question["number"] for question in data.get("questions", ())]
    if not numbers:
        return "the summary"
    return f"question {numbers[0]}" if len(numbers) == 1 else f"questions {numbers[0]} to {numbers[-1]}"


def digest(text: str) -> str:
    """Sixteen characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _json_or_text(text: str) -> dict[str, object] | str:
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return content if isinstance(content, dict) else text
