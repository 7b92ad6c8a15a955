"""`pathstream demo`: embedded broker, stub content service and worker in this process."""

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiokafka import ConsumerRecord
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from clients.content_service_stub import ContentServiceStub
from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from clients.skills_engine_stub import SkillsEngineStub
from consumers import demo_exam, demo_view
from consumers.connection import connection_for
from consumers.settings import Settings
from consumers.topics import EVALUATION, LEARNING_GOAL, LEARNING_PATH, PATH_PROGRESS, TOPICS, dead_letter_topic
from schemas.evaluation import EvaluationResult
from schemas.outputs import LearningPathRecord, PathProgressRecord

PARTITIONS: Final = 4
DEADLINE_SECONDS: Final = 60.0
LIVE_DEADLINE_SECONDS: Final = 180.0

LEARNERS: Final = {
    "ada": ("Learn Python programming", "beginner", "2 hours/day", {"format": "video"}),
    "grace": ("Analyse data with SQL", "intermediate", "5 hours/week", {}),
    "alan": ("Manage a software project and its stakeholders", "intermediate", "1 hour/day", {}),
    "margaret": (
        "Build web pages with HTML, CSS and JavaScript",
        "beginner",
        "flexible",
        {"format": "article"},
    ),
    "linus": ("Python for data analysis", "advanced", "10 hours/week", {}),
}
"""Learner: goal, level, time, preferences."""

BROKEN: Final = (
    "edsger",
    b'{"eventType": "LEARNING_GOAL", "userId": "edsger", "eventData": {"currentLevel": "wizard"}}',
)
"""No goal, and a level that does not exist."""

_NOT_THE_USERS: Final = {
    "kafka_security_protocol": "PLAINTEXT",
    "kafka_group_instance_id": None,
    "content_service_secret": None,
    "skills_engine_secret": None,
    "http_host": "127.0.0.1",
    "http_port": 0,
}
"""Settings that belong to what the demo brings along."""


@dataclass(slots=True)
class Outcome:
    """What came out so far."""

    paths: dict[str, LearningPathRecord] = field(default_factory=dict)
    letters: list[ConsumerRecord] = field(default_factory=list)
    evaluations: list[EvaluationResult] = field(default_factory=list)
    repeated: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing more is expected."""
        graded = any(evaluation.status == "completed" for evaluation in self.evaluations)
        return len(self.paths) == len(LEARNERS) and bool(self.letters) and graded

    def problem(self) -> str | None:
        """What is not as expected."""
        if missing := sorted(LEARNERS.keys() - self.paths.keys()):
            return f"no path for {', '.join(missing)}"
        if [letter.value for letter in self.letters] != [BROKEN[1]]:
            return f"{len(self.letters)} dead letters instead of the one broken event"
        if not self.evaluations or self.evaluations[-1].status != "completed":
            return "the exam is not graded"
        return f"{self.repeated} paths came twice" if self.repeated else None


async def run_demo(settings: Settings, *, keep: bool, console: Console | None = None) -> int:
    """Show the whole job; 0 when just what was expected came out. `keep` stays up until a signal."""
    from consumers.app import Worker  # noqa: PLC0415 - the engine, only when it is run

    console = console or Console(highlight=False)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(EmbeddedKafka())
        content = await stack.enter_async_context(ContentServiceStub())
        skills_engine = await stack.enter_async_context(SkillsEngineStub())
        for topic in TOPICS:
            kafka.create_topic(topic.name, partitions=PARTITIONS)
        state_dir = Path(stack.enter_context(TemporaryDirectory(prefix="pathstream-demo-")))
        services = {
            "kafka_bootstrap_servers": kafka.bootstrap_servers,
            "content_service_base_url": content.base_url,
            "skills_engine_base_url": skills_engine.base_url,
            "state_dir": state_dir,
        }
        own = settings.model_copy(update=services | _NOT_THE_USERS)
        console.print(demo_view.opening(own.provider, kafka.bootstrap_servers))
        await stack.enter_async_context(Worker(own))
        connection = connection_for(own)
        await _send(connection)
        deadline = DEADLINE_SECONDS if own.provider == "offline" else LIVE_DEADLINE_SECONDS
        outcome = await _watch(connection, console, deadline)
        seconds = time.monotonic() - started
        for learner in LEARNERS:
            if learner in outcome.paths:
                console.print(demo_view.path(outcome.paths[learner]))
        for evaluation in outcome.evaluations[-1:]:
            console.print(demo_view.evaluation(evaluation))
        for letter in outcome.letters:
            console.print(demo_view.dead_letter(letter))
        graded = len({evaluation.evaluation_id for evaluation in outcome.evaluations})
        console.print(demo_view.closing(len(outcome.paths), graded, len(outcome.letters), seconds, outcome.problem()))
        if keep:
            console.print(demo_view.commands(kafka.bootstrap_servers), soft_wrap=True, markup=False)
            await _until_interrupted()
    return 1 if outcome.problem() else 0


def event_for(learner: str) -> bytes:
    """The learning-goal event of one of the demo's learners."""
    goal, level, available_time, preferences = LEARNERS[learner]
    data = {
        "learningGoal": goal,
        "currentLevel": level,
        "availableTime": available_time,
        "preferences": preferences,
    }
    event = {"eventId": f"demo-{learner}", "eventType": "LEARNING_GOAL", "userId": learner, "eventData": data}
    return json.dumps(event).encode()


async def _send(connection: Connection) -> None:
    producer = connection.producer()
    await producer.start()
    try:
        events = [(learner, event_for(learner)) for learner in LEARNERS]
        events.insert(2, BROKEN)
        for learner, value in events:
            await producer.send_and_wait(LEARNING_GOAL, key=learner.encode(), value=value)
        await producer.send_and_wait(demo_exam.TOPIC, key=demo_exam.STUDENT.encode(), value=demo_exam.submission())
    finally:
        await producer.stop()


def _progress(console: Console) -> Progress:
    what, stage = TextColumn("{task.description:<10}"), TextColumn("{task.fields[stage]}")
    return Progress(what, BarColumn(), TimeElapsedColumn(), stage, console=console)


async def _watch(connection: Connection, console: Console, deadline: float) -> Outcome:
    """Follow progress, paths and dead letters until all is there or the deadline (seconds) passed."""
    outcome = Outcome()
    bar = _progress(console)
    consumer = connection.consumer(LEARNING_PATH, PATH_PROGRESS, EVALUATION, dead_letter_topic(LEARNING_GOAL))
    await consumer.start()
    try:
        with bar:
            senders = (*LEARNERS, demo_exam.STUDENT, BROKEN[0])
            bars = {learner: bar.add_task(learner, total=100, stage="sent") for learner in senders}
            async with asyncio.timeout(deadline):
                while not outcome.complete:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        for record in records:
                            _note(record, outcome, bar, bars)
    except TimeoutError:
        console.print(f"not finished after {deadline:g} s")
    finally:
        await consumer.stop()
    return outcome


def _note(record: ConsumerRecord, outcome: Outcome, bar: Progress, bars: dict[str, TaskID]) -> None:
    if record.topic == LEARNING_PATH:
        path = LearningPathRecord.model_validate_json(record.value)
        outcome.repeated += path.user_id in outcome.paths
        outcome.paths[path.user_id] = path
        bar.update(bars[path.user_id], completed=100, stage="path is there")
    elif record.topic == PATH_PROGRESS:
        progress = PathProgressRecord.model_validate_json(record.value)
        if progress.user_id not in outcome.paths:
            bar.update(bars[progress.user_id], completed=progress.progress, stage=progress.stage)
    elif record.topic == EVALUATION:
        outcome.evaluations.append(EvaluationResult.model_validate_json(record.value))
        bar.update(bars[demo_exam.STUDENT], completed=100, stage="exam is graded")
    else:
        outcome.letters.append(record)
        bar.update(bars[BROKEN[0]], completed=100, stage="dead letter")


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
