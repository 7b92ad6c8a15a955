"""`make eval`: a table of how well each fixture is graded, by recorded or live answers and without a model.

With GOOGLE_API_KEY and RECORD=1 the answers are recorded anew; with a key a model judges the feedback too.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from clients.http import open_http_client
from clients.llm import Model
from clients.llm.gemini import GeminiModel
from tests.evals.cassettes import Cassette, Recorder
from tests.evals.grading import GradedExam, grade, judge
from tests.evals.measures import scores_of
from tests.exams import NAMES, teacher_marks

_AT_ONCE = 4


@asynccontextmanager
async def live_model() -> AsyncIterator[Model | None]:
    """Gemini, where there is a key."""
    key = os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
    if not key:
        yield None
        return
    async with open_http_client(max_connections=_AT_ONCE) as http:
        yield GeminiModel(http, api_key=SecretStr(key), model=os.environ.get("LLM_MODEL", "gemini-flash-latest"))


async def main() -> None:
    """Print the table."""
    table = Table("exam", "graded by", "questions", "exact", "within 1", "misconceptions", "tone", "key won", "judge")
    async with live_model() as live:
        for fixture in NAMES:
            model = await _answers(fixture, live)
            if model is None:
                table.add_row(fixture, "no recorded answers: make eval RECORD=1, with a key")
            else:
                graded = await grade(fixture, model)
                table.add_row(fixture, model.name, *_cells(fixture, graded), await _verdict(graded, live))
            table.add_row(fixture, "offline", *_cells(fixture, await grade(fixture, None)), "-")
    console = Console(width=150)
    console.print(table)
    console.print("Answers written by hand show that the evals work; they measure no model.")


async def _answers(fixture: str, live: Model | None) -> Model | None:
    if live is None or os.environ.get("RECORD") != "1":
        return Cassette.load(fixture)
    recorder = Recorder(live)
    await grade(fixture, recorder)
    recorder.save(fixture)
    return Cassette.load(fixture)


async def _verdict(graded: GradedExam, live: Model | None) -> str:
    if live is None:
        return "no key"
    verdict = await judge(graded, live)
    return "passes" if verdict.passes else "; ".join(verdict.problems) or "does not pass"


def _cells(fixture: str, graded: GradedExam) -> list[str]:
    scores = scores_of(graded.feedback, teacher_marks(fixture))
    found = "-" if scores.misconceptions is None else f"{scores.misconceptions:.0%}"
    return [
        str(scores.questions), f"{scores.exact:.0%}", f"{scores.within_one:.0%}", found, f"{scores.tone:.0%}",
        str(graded.corrected),
    ]  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
