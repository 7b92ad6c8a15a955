"""What the demo shows: a path as a person wants to read it, a dead letter with its reason. Pure rendering."""

from collections.abc import Mapping

from aiokafka import ConsumerRecord
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from consumers.cli.output import headers_of, key_of, printable
from schemas.decisions import PathStep
from schemas.evaluation import EvaluationResult
from schemas.outputs import LearningPathRecord, Profile, Recommendation

_SKILLS_SHOWN = 5
_ADVICE_SHOWN = 3
_EXAMPLE = (
    '{"userId": "you", "eventType": "LEARNING_GOAL",'
    ' "eventData": {"learningGoal": "Learn SQL", "currentLevel": "beginner"}}'
)


def opening(provider: str, bootstrap_servers: str) -> Text:
    """What was started."""
    model = "the built-in planner (no key is set)" if provider == "offline" else provider
    return Text(f"Embedded broker at {bootstrap_servers}, in memory, for this demo only; plans by {model}.", "dim")


def path(record: LearningPathRecord) -> Panel:
    """A learner's whole path."""
    plan = record.learning_path
    names = {resource.resourceId: resource.name for resource in record.available_resources}
    degraded = " · made without everything it should know" if record.degraded else ""
    facts = Text(f"{plan.difficulty_level} · {plan.total_duration} · by {record.generated_by}{degraded}", style="dim")
    return Panel(
        Group(facts, _steps(plan.steps, names), _profile(record.profile), _advice(record.recommendations, names)),
        title=Text(f" {printable(record.user_id)}: {printable(plan.goal)} ", style="bold"),
        title_align="left",
    )


def _steps(steps: list[PathStep], names: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("step", ratio=3)
    table.add_column("time", no_wrap=True)
    table.add_column("resources", ratio=2)
    for step in steps:
        what = Text.assemble((step.title, "bold"), "\n", (step.description, "dim"))
        resources = "\n".join(names.get(resource, resource) for resource in step.resources)
        table.add_row(str(step.step_number), what, Text(step.estimated_duration), Text(resources or "-"))
    return table


def _profile(profile: Profile) -> Text:
    lines = [("Strengths: ", _first_few(profile.strengths)), ("Weaknesses: ", _first_few(profile.weaknesses))]
    if profile.summary:
        lines.append(("Profile: ", profile.summary))
    return Text("\n").join(Text.assemble((label, "bold"), text) for label, text in lines)


def _first_few(skills: list[str]) -> str:
    more = f" and {len(skills) - _SKILLS_SHOWN} more" if len(skills) > _SKILLS_SHOWN else ""
    return (", ".join(skills[:_SKILLS_SHOWN]) or "-") + more


def _advice(recommendations: list[Recommendation], names: Mapping[str, str]) -> RenderableType:
    lines = [Text("Recommended next:", style="bold")] if recommendations else []
    for advice in sorted(recommendations, key=lambda advice: advice.priority)[:_ADVICE_SHOWN]:
        line = Text(f"  {advice.priority}. {advice.skill}: {advice.reason}")
        if advice.resource_ids:
            line.append(f" ({', '.join(names.get(id_, id_) for id_ in advice.resource_ids)})", style="dim")
        lines.append(line)
    if len(recommendations) > _ADVICE_SHOWN:
        lines.append(Text(f"  and {len(recommendations) - _ADVICE_SHOWN} more", style="dim"))
    return Text("\n").join(lines)


def evaluation(record: EvaluationResult) -> Panel:
    """An exam's result, question by question, and what to do next."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("marks", no_wrap=True)
    table.add_column("feedback", ratio=1)
    for entry in record.question_feedback:
        told = Text.assemble((entry.feedback_summary, "bold"), "\n", (entry.where_you_went_wrong or "", "dim"))
        table.add_row(str(entry.question_number), f"{entry.marks_earned} of {entry.marks_possible}", told)
    lines: list[RenderableType] = [Text(f"{record.progress.message} · by {record.generated_by}", style="dim"), table]
    if record.overall_result is not None:
        result = record.overall_result
        marks = f"{result.total_marks_earned} of {result.total_marks_possible} marks, {result.percentage:g} %"
        lines.append(Text(f"{marks}: {result.grade}", style="bold"))
    lines += [Text(f"  {step.priority}. {step.topic}: {step.action}") for step in record.learning_recommendations]
    lines.append(Text(record.encouragement_message))
    return Panel(Group(*lines), title=Text(f" {printable(record.student_id)}: exam ", style="bold"), title_align="left")


def dead_letter(record: ConsumerRecord) -> Panel:
    """A dead letter and why it is one."""
    headers = {name: printable(str(value)) for name, value in headers_of(record).items()}
    where = "-".join(headers.get(f"kafka_dlt-original-{part}", "?") for part in ("topic", "partition", "offset"))
    return Panel(
        Text.assemble(
            (headers.get("pathstream-error-code", "?"), "bold red"),
            f"  {headers.get('kafka_dlt-exception-message', '')}\n",
            (
                f"{where} is in {record.topic}, byte for byte; `pathstream dlq` lists, shows and replays it",
                "dim",
            ),
        ),
        title=Text(f" {printable(key_of(record) or '(no key)')}: dead letter ", style="bold red"),
        title_align="left",
    )


def closing(paths: int, exams: int, letters: int, seconds: float, problem: str | None) -> Text:
    """The one line that tells how it went."""
    graded = f"{exams} graded exam{_s(exams)}"
    counts = f"{paths} learning path{_s(paths)}, {graded} and {letters} dead letter{_s(letters)} in {seconds:.1f} s"
    if problem:
        return Text(f"{counts}, but {problem}", "bold red")
    return Text(f"{counts}: all as expected", "bold green")


def commands(bootstrap_servers: str) -> str:
    """How to go on by hand, to be copied as it stands: print it unwrapped."""
    at = f"--bootstrap-server {bootstrap_servers}"
    ours = f"--bootstrap-servers {bootstrap_servers}"
    return "\n".join(
        (
            "",
            "It stays up until Ctrl-C. With Kafka's own tools:",
            f"  echo '{_EXAMPLE}' | kafka-console-producer {at} --topic learning_goal",
            f"  kafka-console-consumer {at} --topic learning_path --from-beginning --property print.key=true",
            "or without them:",
            f"  echo '{_EXAMPLE}' | pathstream produce learning_goal {ours}",
            f"  pathstream tail learning_path --from-beginning {ours}",
            f"  pathstream tail evaluation --from-beginning {ours}",
            f"  pathstream dlq list learning_goal {ours}",
        )
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"
