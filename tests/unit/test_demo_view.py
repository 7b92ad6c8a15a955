"""The demo's view: what a person reads of a path, a dead letter and the outcome."""

from datetime import UTC, datetime

from aiokafka import ConsumerRecord
from rich.console import Console, RenderableType

from agents.grading.agent import GradingAgent
from consumers import demo_exam, demo_view
from consumers.demo import BROKEN, LEARNERS, Outcome, event_for
from consumers.exam.record import Grading, evaluation_of, step_of
from schemas import codec
from schemas.decisions import PathPlan, PathStep
from schemas.errors import InvalidEventError
from schemas.evaluation import EvaluationResult
from schemas.events import LearningGoalEvent
from schemas.outputs import LearningPathRecord, Profile, Recommendation, Resource
from schemas.submission import ExamSubmission


def shown(view: RenderableType, width: int = 120) -> str:
    """What stands on a terminal of so many columns."""
    console = Console(width=width, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


def an_evaluation() -> EvaluationResult:
    """The demo's exam, graded without a model."""
    submission = codec.decode(ExamSubmission, demo_exam.submission(), max_bytes=2**20)
    assert submission.mock_exam is not None
    agent = GradingAgent(None)
    batches = agent.batches(submission.mock_exam, submission.answers)
    grading = Grading(
        submission=submission,
        exam=submission.mock_exam,
        batches=batches,
        graded={step_of(batch): agent.grade_batch_offline(batch) for batch in batches},
    )
    summary = agent.summarise_offline(submission.mock_exam, grading.feedback)
    return evaluation_of(grading, summary, status="completed", revision=1, at=datetime(2026, 1, 1, tzinfo=UTC))


def a_path(**changes: object) -> LearningPathRecord:
    """A path of one step."""
    record = LearningPathRecord(
        event_id="out-1",
        source_event_id="evt-1",
        user_id="ada",
        learning_goal="Learn Python",
        learning_path=PathPlan(
            goal="Learn Python",
            difficulty_level="beginner",
            total_duration="4 weeks",
            steps=[
                PathStep(
                    step_number=1,
                    title="Basics [of it]",
                    description="Names and values.",
                    estimated_duration="1 week",
                    resources=["res-1", "A book"],
                )
            ],
        ),
        mastery_scores={"python": 0.4},
        available_resources=[Resource(resourceId="res-1", name="Intro video")],
        available_resources_truncated=False,
        profile=Profile(strengths=["sql"], weaknesses=["python"], summary="On the way."),
        recommendations=[
            Recommendation(skill="loops", priority=2, reason="comes later", resource_ids=[]),
            Recommendation(skill="values", priority=1, reason="comes first", resource_ids=["res-1"]),
        ],
        generated_at=datetime(2026, 1, 1, tzinfo=UTC),
        generated_by="offline",
        degraded=False,
    )
    return record.model_copy(update=changes)


def a_letter(value: bytes = BROKEN[1]) -> ConsumerRecord:
    """A dead letter as it is read."""
    headers = (
        ("kafka_dlt-original-topic", b"learning_goal"),
        ("kafka_dlt-original-partition", (3).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", (17).to_bytes(8, "big")),
        ("pathstream-error-code", b"INVALID_EVENT"),
        ("kafka_dlt-exception-message", b"event_data.learning_goal: Field required \x1b[2J"),
    )
    return ConsumerRecord("learning_goal.dlq", 0, 0, 0, 0, b"edsger", value, None, 6, len(value), headers)


def test_a_path_shows_all_that_a_learner_wants_to_know() -> None:
    text = shown(demo_view.path(a_path()))
    for part in (
        "ada: Learn Python",
        "beginner · 4 weeks · by offline",
        "Basics [of it]",
        "Names and values.",
        "1 week",
        "Intro video",
        "A book",
        "Strengths: sql",
        "Weaknesses: python",
        "Profile: On the way.",
    ):
        assert part in text
    assert "res-1" not in text
    assert text.index("1. values: comes first (Intro video)") < text.index("2. loops: comes later")


def test_a_degraded_path_says_so() -> None:
    assert "without everything" in shown(demo_view.path(a_path(degraded=True)))
    assert "without everything" not in shown(demo_view.path(a_path()))


def test_nothing_in_a_path_is_cut_on_a_narrow_terminal() -> None:
    text = shown(demo_view.path(a_path()), width=60)
    assert "…" not in text
    assert "Intro video" in text


def test_a_dead_letter_shows_its_reason_and_where_it_came_from() -> None:
    text = shown(demo_view.dead_letter(a_letter()))
    assert "INVALID_EVENT  event_data.learning_goal: Field required" in text
    assert "learning_goal-3-17" in text
    assert "\x1b[2J" not in text


def test_an_evaluation_is_shown_question_by_question() -> None:
    text = shown(demo_view.evaluation(an_evaluation()))
    assert "katherine: exam" in text
    assert "the circumference is 2πr" in text
    assert "4 of 6 marks, 66.66 %: B" in text
    assert "5 questions graded (0 remaining)" in text


def test_the_last_line_is_one_line() -> None:
    assert shown(demo_view.closing(5, 1, 1, 1.26, None)) == (
        "5 learning paths, 1 graded exam and 1 dead letter in 1.3 s: all as expected\n"
    )
    assert "but no path for ada" in shown(demo_view.closing(4, 1, 1, 60, "no path for ada"))


def test_the_commands_stand_on_one_line_each() -> None:
    text = demo_view.commands("127.0.0.1:4711")
    (line,) = [line for line in text.splitlines() if "kafka-console-consumer" in line]
    assert line.strip() == (
        "kafka-console-consumer --bootstrap-server 127.0.0.1:4711 --topic learning_path --from-beginning"
        " --property print.key=true"
    )


def test_the_demo_sends_valid_events_and_a_broken_one() -> None:
    for learner in LEARNERS:
        assert codec.decode(LearningGoalEvent, event_for(learner), max_bytes=2**20).user_id == learner
    try:
        codec.decode(LearningGoalEvent, BROKEN[1], max_bytes=2**20)
    except InvalidEventError:
        return
    raise AssertionError("the broken event is valid")


def test_the_demo_succeeds_only_with_just_what_it_expected() -> None:
    everything = Outcome(
        paths={learner: a_path() for learner in LEARNERS}, letters=[a_letter()], evaluations=[an_evaluation()]
    )
    assert everything.complete
    assert everything.problem() is None
    missing = Outcome(paths={learner: a_path() for learner in list(LEARNERS)[1:]}, letters=[a_letter()])
    assert missing.problem() == f"no path for {next(iter(LEARNERS))}"
    ungraded = Outcome(paths=everything.paths, letters=[a_letter()])
    assert not ungraded.complete
    assert ungraded.problem() == "the exam is not graded"
    everything.repeated = 1
    assert everything.problem()
    other = Outcome(paths=everything.paths, letters=[a_letter(b"something else")])
    assert other.problem()
