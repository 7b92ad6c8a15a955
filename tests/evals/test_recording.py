"""`make eval` with a key, against a server that speaks Gemini's REST: recording, replaying, the judge."""

import json
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from consumers.settings import load_settings
from tests.evals.__main__ import WIDTH, main
from tests.evals.cassettes import FOLDER, Tape, path_of, write_tape
from tests.exam_grader import ExamGrader
from tests.exams import NAMES
from tests.gemini_server import GeminiServer, schema_of

LEGEND_BEGINS = "exact, within 1: questions whose marks are the teacher's, or one mark off."


class EvalsModel:
    """What the server answers: grades by the key, and judges. Its first grading answers do not fit or are fenced."""

    def __init__(self) -> None:
        self.grader = ExamGrader()
        self.verdict: dict[str, Any] = {"passes": True}
        self._first = ["I would rather talk about the weather."]

    def text(self, request: dict[str, Any]) -> str:
        if schema_of(request) == "Verdict":
            return json.dumps(self.verdict)
        answer = self.grader.text(request)
        return self._first.pop() if self._first else f"```json\n{answer}\n```"


@pytest.fixture
def model() -> EvalsModel:
    return EvalsModel()


@pytest.fixture
async def server(model: EvalsModel) -> AsyncIterator[GeminiServer]:
    async with GeminiServer(text=model.text) as running:
        yield running


@pytest.fixture
def with_key(server: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of somebody who has a key."""
    monkeypatch.setenv("GOOGLE_API_KEY", "k3y")
    monkeypatch.setenv("LLM_BASE_URL", server.base_url)


async def printed(folder: Path = FOLDER, *, record: bool = False, code: int = 0) -> list[str]:
    """The lines that `make eval` prints to a terminal of the usual width."""
    screen = StringIO()
    assert await main(load_settings(), Console(file=screen, width=WIDTH), record=record, folder=folder) == code
    return screen.getvalue().splitlines()


def heading(lines: list[str]) -> str:
    return next(line for line in lines if "graded by" in line)


def words(lines: list[str]) -> str:
    """All of it in one line: where lines are broken does not count."""
    return " ".join(" ".join(lines).split())


def cassettes(folder: Path) -> dict[str, str]:
    """What is recorded, by fixture."""
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def table(lines: list[str]) -> list[list[str]]:
    """The cells of its rows, the judge's left out."""
    first = lines.index(heading(lines)) + 2
    rows = [line for line in lines[first : lines.index(LEGEND_BEGINS)] if line.strip()]
    until = heading(lines).find("judge")
    return [row[: until if until > 0 else None].split() for row in rows]


@pytest.mark.usefixtures("with_key")
async def test_what_is_recorded_with_a_key_is_replayed_without_one_to_the_same_table(
    tmp_path: Path, server: GeminiServer, model: EvalsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = await printed(tmp_path, record=True)
    calls = len(server.requests)
    monkeypatch.delenv("GOOGLE_API_KEY")
    replayed = await printed(tmp_path)

    assert table(replayed) == table(recorded)
    assert [row[:2] for row in table(replayed)[::2]] == [[name, "gemini/gemini-flash-latest"] for name in NAMES]
    assert cassettes(tmp_path).keys() == set(NAMES)
    assert f"{', '.join(NAMES)}: Recorded." in replayed
    assert set(server.keys) == {"k3y"}
    assert "k3y" not in "".join(cassettes(tmp_path).values())
    assert len(server.requests) == calls, "the replay asked the model"
    assert len(model.grader.calls) < calls, "no answer was asked for again, and none judged"


@pytest.mark.usefixtures("with_key")
async def test_the_judge_reads_the_feedback_where_there_is_a_key(server: GeminiServer, model: EvalsModel) -> None:
    model.verdict = {"passes": False, "problems": ["Question 3 does not say why."]}

    lines = await printed()

    assert heading(lines).split()[-1] == "judge"
    assert [line.split()[-1] for line in lines if "written, not recorded " in line] == ["fails"] * len(NAMES)
    assert f"{', '.join(NAMES)}: the judge: Question 3 does not say why." in words(lines)
    assert not any("No judge" in line for line in lines)
    assert server.calls == {"Verdict": len(NAMES)}, "more than the judge was asked"
    shown = server.requests[0]["contents"][0]["parts"][0]["text"]
    assert "You have the right idea of a probability as a fraction" in shown
    assert "student-sub-n5-maths-1" not in shown


@pytest.mark.usefixtures("with_key")
async def test_a_judge_that_gives_no_verdict_costs_no_table(server: GeminiServer) -> None:
    server.modes = ["bad_request"]

    lines = await printed()

    assert [line.split()[-2:] for line in lines if "written, not recorded " in line] == [["no", "verdict"]] * len(NAMES)
    assert "ModelRejectedError: gemini answered 400" in words(lines)


async def test_without_a_key_there_is_no_judge_and_it_is_said_why(server: GeminiServer) -> None:
    lines = await printed()

    assert "judge" not in heading(lines)
    assert lines[-1] == "No judge: a model judges the feedback where GOOGLE_API_KEY is set."
    assert not server.requests


async def test_recording_without_a_key_says_what_is_missing(tmp_path: Path) -> None:
    lines = await printed(tmp_path, record=True, code=1)

    assert "nothing to record from: make eval RECORD=1, with GOOGLE_API_KEY" in words(lines)
    assert not cassettes(tmp_path)


@pytest.mark.usefixtures("with_key")
async def test_a_key_that_is_refused_leaves_the_cassettes_as_they_were(tmp_path: Path, server: GeminiServer) -> None:
    before = {NAMES[0]: cassettes(FOLDER)[NAMES[0]]}
    (tmp_path / f"{NAMES[0]}.json").write_text(before[NAMES[0]], encoding="utf-8")
    server.modes = ["unauthorized"]

    lines = await printed(tmp_path, record=True, code=1)

    assert "the cassette stays as it was: gemini answered 401 UNAUTHENTICATED" in words(lines)
    assert cassettes(tmp_path) == before


async def test_without_cassettes_the_remedy_is_named_and_the_run_fails(tmp_path: Path) -> None:
    lines = await printed(tmp_path, code=1)

    assert "no recorded answers; record them: make eval RECORD=1, with GOOGLE_API_KEY" in words(lines)
    assert [row[0] for row in table(lines)[1::2]] == ["offline"] * len(NAMES)


async def test_answers_to_other_instructions_are_shown_and_what_to_do_about_them_is_said(tmp_path: Path) -> None:
    for name, text in cassettes(FOLDER).items():
        content = json.loads(text)
        today = content["takes"][0]["instructions"]
        content["takes"][0]["instructions"] = "0" * 16
        write_tape(path_of(name, tmp_path), Tape.model_validate(content))

    lines = await printed(tmp_path)

    assert table(lines) == table(await printed())
    assert "some answers were given to other instructions than today's; record anew: make eval" in words(lines)
    assert words(lines).count(f"change `instructions` from {'0' * 16} to {today}") == 1


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.usefixtures("with_key")
async def test_the_table_tells_everything_in_120_columns(tmp_path: Path, *, record: bool) -> None:
    lines = await printed(tmp_path if record else FOLDER, record=record)

    assert max(len(line) for line in lines) <= WIDTH
    columns = "exam graded by questions exact within 1 misconceptions tone key won judge"
    assert " ".join(heading(lines).split()) == columns
    assert len([line for line in lines if "%" in line]) == 2 * len(NAMES), "a row goes over several lines"
    assert "…" not in "".join(lines)
