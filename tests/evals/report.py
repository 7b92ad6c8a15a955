"""The table of `make eval`: for each fixture what a model's grading is worth, and beside it that without a model."""

from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from clients.llm import Model
from schemas.errors import ModelError
from tests.evals.cassettes import FOLDER, RECORD, Cassette, CassetteError, Recorder
from tests.evals.grading import GradedExam, grade, judge
from tests.evals.measures import scores_of
from tests.exams import NAMES, submission_of, teacher_marks

_NUMBERS = ("questions", "exact", "within 1", "misconceptions", "tone", "key won")
_LEGEND = (
    "exact, within 1: questions whose marks are the teacher's, or one mark off.",
    "misconceptions: those that the teacher saw, named in the teacher's words or the exam's.",
    "tone: questions whose feedback explains, guides and does not hurt.",
    "key won: questions where the answer key overruled the model.",
)
NO_JUDGE = "No judge: a model judges the feedback where GOOGLE_API_KEY is set."


@dataclass(frozen=True, kw_only=True)
class Report:
    """The table, what is said below it, and whether every fixture's model grading is in it."""

    table: Table
    notes: list[str]
    complete: bool


async def report(live: Model | None, *, record: bool = False, folder: Path = FOLDER) -> Report:
    """Grade every fixture from its cassette and without a model; `live` judges, and is recorded first with `record`."""
    table, complete = _empty_table(with_judge=live is not None), True
    notes: dict[str, list[str]] = {}
    for fixture in NAMES:
        try:
            row, said = await _by_model(fixture, live, record=record, folder=folder)
        except (CassetteError, ModelError) as exc:
            row, said, complete = ["not graded"], [f"not graded, {type(exc).__name__}: {exc}"], False
        for note in said:
            notes.setdefault(note, []).append(fixture)
        table.add_row(fixture, *row)
        table.add_row("", *_cells(fixture, await grade(fixture, None)), end_section=True)
    lines = [*_LEGEND, *(f"{', '.join(fixtures)}: {note}" for note, fixtures in notes.items())]
    return Report(table=table, notes=lines if live else [*lines, NO_JUDGE], complete=complete)


def _empty_table(*, with_judge: bool) -> Table:
    table = Table("exam", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("graded by", overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right")
    if with_judge:
        table.add_column("judge")
    return table


async def _by_model(fixture: str, live: Model | None, *, record: bool, folder: Path) -> tuple[list[str], list[str]]:
    """The cells of a fixture graded by recorded answers, and what is to be said about them."""
    if record:
        if live is None:
            raise CassetteError(f"nothing to record from: {RECORD}")
        recorder = Recorder(live)
        await grade(fixture, recorder)
        recorder.save(fixture, folder)
    cassette = Cassette.load(fixture, folder)
    graded = await grade(fixture, cassette)
    notes = [cassette.note]
    notes += [
        f"some answers were given to other instructions than today's; record anew: {RECORD}. Where those that"
        f" were written still fit, change `instructions` from {before} to {today}"
        for before, today in cassette.outdated.items()
    ]
    cells = _cells(fixture, graded)
    if live is not None:
        verdict, problems = await _verdict(graded, live)
        cells.append(verdict)
        notes += [f"the judge: {problem}" for problem in problems]
    return cells, notes


async def _verdict(graded: GradedExam, live: Model) -> tuple[str, list[str]]:
    try:
        verdict = await judge(graded, live)
    except ModelError as exc:
        return "no verdict", [f"{type(exc).__name__}: {exc}"]
    return "passes" if verdict.passes else "fails", verdict.problems


def _cells(fixture: str, graded: GradedExam) -> list[str]:
    _, exam = submission_of(fixture)
    scores = scores_of(graded.evaluation.question_feedback, exam.questions, teacher_marks(fixture))
    return [
        graded.evaluation.generated_by,
        str(scores.questions),
        f"{scores.exact:.0%}",
        f"{scores.within_one:.0%}",
        f"{scores.misconceptions_found} of {scores.misconceptions_seen}",
        f"{scores.tone:.0%}",
        str(len(graded.overruled)),
    ]
