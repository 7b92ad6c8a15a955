"""Logs: what an operator finds in them, and what must never be there."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from consumers.observability import BrokerOutage, configure_logging, log_events, silence_logging
from consumers.observability.outage import QUIET_SECONDS
from consumers.settings import Settings
from schemas import codec
from schemas.errors import InvalidEventError


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    names = ("aiokafka", "aiokafka.client")
    handlers, level, levels = (
        root.handlers[:],
        root.level,
        {name: logging.getLogger(name).level for name in names},
    )
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, earlier in levels.items():
        logging.getLogger(name).setLevel(earlier)
    structlog.reset_defaults()


def configured(**settings: Any) -> tuple[io.StringIO, BrokerOutage]:
    """A stream with the logs of a process configured so."""
    stream = io.StringIO()
    return stream, configure_logging(Settings(**settings), stream=stream)


def lines_in(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines of a stream."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_the_event_its_fields_a_level_and_a_time() -> None:
    stream, _ = configured()
    structlog.get_logger().info(log_events.LEARNING_GOAL_PROCESSING, topic="learning_goal", offset=7)
    (line,) = lines_in(stream)
    assert line["event"] == "Processing learning goal"
    assert (line["topic"], line["offset"], line["level"]) == ("learning_goal", 7, "info")
    assert line["timestamp"].endswith("Z")


def test_console_lines_are_for_people() -> None:
    stream, _ = configured(log_format="console")
    structlog.get_logger().info("Worker started", port=8080)
    assert "Worker started" in stream.getvalue()
    assert "port=8080" in stream.getvalue()


def test_the_level_decides_what_is_there() -> None:
    stream, _ = configured(log_level="WARNING")
    log = structlog.get_logger()
    log.info("not this")
    log.warning("this")
    assert [line["event"] for line in lines_in(stream)] == ["this"]
    assert not log.is_enabled_for(logging.INFO)


class Learner(BaseModel):
    """A model that holds somebody's name."""

    user_name: str


def test_payloads_prompts_names_and_secrets_never_reach_a_line() -> None:
    stream, _ = configured()
    private = "Ada Lovelace ada@example.org"
    structlog.get_logger().error(
        "failed",
        user_id="user_1",
        value=private,
        prompt=private,
        user_name=private,
        decision_maker={"employee_email": private, "employee_id": "e1"},
        learner=Learner(user_name=private),
        raw_bytes=private.encode(),
        listed=[Learner(user_name=private)],
        content_service_secret=private,
        setting=SecretStr(private),
    )
    assert "Ada" not in stream.getvalue()
    (line,) = lines_in(stream)
    assert line["user_id"] == "user_1"
    assert line["decision_maker"]["employee_id"] == "e1"


def test_a_trace_shows_where_but_not_the_text_of_an_error_that_quotes_its_input() -> None:
    stream, _ = configured()
    private = "ADA".title()
    nobody: dict[str, str] = {}
    try:
        try:
            Learner.model_validate({"user_name": [private]})
        except ValueError:
            nobody[private].upper()
    except KeyError:
        structlog.get_logger().exception("failed")
    (line,) = lines_in(stream)
    assert "Ada" not in stream.getvalue()
    assert "test_logs.py" in line["exception"]
    assert "ValidationError" in line["exception"]
    assert "KeyError" in line["exception"]


def test_a_trace_keeps_the_text_of_our_own_errors() -> None:
    stream, _ = configured()
    try:
        codec.decode(Learner, b"{}", max_bytes=10)
    except InvalidEventError:
        structlog.get_logger().exception("failed")
    assert "user_name: Field required" in lines_in(stream)[0]["exception"]


def test_library_lines_come_in_the_same_form_and_never_with_whole_requests() -> None:
    stream, _ = configured(log_level="DEBUG")
    log = logging.getLogger("aiokafka.conn")
    log.debug("Request to broker: %s", "payload")
    log.info("Discovered coordinator %s", 1)
    logging.getLogger("httpx2").info("GET /users/ada")
    assert [(line["logger"], line["event"]) for line in lines_in(stream)] == [
        ("aiokafka.conn", "Discovered coordinator 1")
    ]


def test_while_kafka_is_away_there_are_two_lines_and_no_more() -> None:
    stream, outage = configured(kafka_bootstrap_servers="kafka.example:9092")
    client, coordinator = (
        logging.getLogger("aiokafka.client"),
        logging.getLogger("aiokafka.consumer.group_coordinator"),
    )
    for _ in range(50):
        client.error("Unable connect to node with id %s: %s", 1, "refused")
        client.error("Unable to update metadata from %s", [1])
        coordinator.warning("Marking the coordinator dead (node %s)for group %s.", 1, "g")
        coordinator.error("Group Coordinator Request failed: %s", "NodeNotReady")
    assert outage.away_seconds is not None
    coordinator.info("Discovered coordinator %s for group %s", 1, "g")
    assert outage.away_seconds is None
    away, back, discovered = lines_in(stream)
    assert (away["event"], away["bootstrap_servers"]) == ("Kafka does not answer", "kafka.example:9092")
    assert (back["event"], back["hidden_lines"]) == ("Kafka answers again", 200)
    assert discovered["event"].startswith("Discovered")


class Announced:
    """What an outage said, and a clock for it."""

    def __init__(self) -> None:
        self.said: list[tuple[bool, float, int]] = []
        self.now = 100.0

    def __call__(self, *, away: bool, bootstrap_servers: str, seconds: float, hidden_lines: int) -> None:
        assert bootstrap_servers == "b:1"
        self.said.append((away, seconds, hidden_lines))


def complaint(text: str = "Unable connect to node with id 1", name: str = "aiokafka.client") -> logging.LogRecord:
    """A line as aiokafka writes it."""
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, None, None)


def test_silence_means_that_kafka_is_back() -> None:
    announced = Announced()
    outage = BrokerOutage("b:1", announced, clock=lambda: announced.now)
    assert not outage.filter(complaint())
    announced.now += QUIET_SECONDS - 0.1
    outage.check()
    assert outage.away_seconds is not None
    announced.now += 0.1
    outage.check()
    outage.check()
    assert announced.said == [(True, 0.0, 1), (False, QUIET_SECONDS, 1)]


def test_a_second_outage_is_told_again() -> None:
    announced = Announced()
    outage = BrokerOutage("b:1", announced, clock=lambda: announced.now)
    for _ in range(2):
        outage.filter(complaint())
        outage.seen()
        announced.now += QUIET_SECONDS
    assert [away for away, _, _ in announced.said] == [True, False, True, False]


def test_what_follows_an_outage_is_not_told_nor_taken_for_the_next_one() -> None:
    announced = Announced()
    outage = BrokerOutage("b:1", announced, clock=lambda: announced.now)
    outage.filter(complaint())
    outage.seen()
    for _ in range(20):
        assert not outage.filter(complaint())
        assert not outage.filter(complaint("Heartbeat session expired - marking coordinator dead"))
        assert outage.filter(complaint("Failed to commit"))
        outage.seen()
    announced.now += QUIET_SECONDS
    assert outage.filter(complaint("Heartbeat session expired - marking coordinator dead"))
    assert [away for away, _, _ in announced.said] == [True, False]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Heartbeat failed for group %s because it is rebalancing", "aiokafka.consumer.group_coordinator"),
        ("Topic %s not found in cluster metadata", "aiokafka.cluster"),
        ("Unable connect to node with id 1", "somebody.else"),
    ],
)
def test_lines_that_mean_no_outage_go_through(text: str, name: str) -> None:
    announced = Announced()
    assert BrokerOutage("b:1", announced).filter(complaint(text, name))
    assert not announced.said


async def test_what_a_broken_connection_leaves_is_not_told_and_a_forgotten_error_is() -> None:
    """Both as asyncio tells them: when a future with an error that nobody asked for goes."""
    stream, _ = configured()
    for error in (ConnectionResetError(104, "Connection reset by peer"), ValueError("forgotten")):
        asyncio.get_running_loop().create_future().set_exception(error)
    (line,) = lines_in(stream)
    assert "ValueError" in line["exception"] + line["event"]


def test_silence_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    silence_logging()
    structlog.get_logger().error("not this")
    logging.getLogger("aiokafka.client").error("nor this")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_the_names_of_seed_004_are_kept() -> None:
    names = {value for name, value in vars(log_events).items() if name.isupper()}
    assert {
        "LearningGoalConsumer initialized with LearningPathAgent",
        "Learning goal event validated successfully",
        "Processing learning goal",
        "Successfully generated and published learning path",
        "Learning goal event validation failed",
        "Error processing learning goal",
    } <= names
