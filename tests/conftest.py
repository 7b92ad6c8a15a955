"""What every test gets: no live models, no settings of the developer, and the Kafka this machine can run.

`kafka` runs a test twice, on the embedded broker and on a real one; `embedded_kafka` and `real_kafka`
are each of them alone.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from tests.disk import SmallDisk, mounted
from tests.kafka import (
    JarsUnavailableError,
    KafkaTools,
    KafkaUnderTest,
    NoKafkaError,
    RealKafka,
    TopicFactory,
    choose_kafka,
    kafka_jars,
)
from tests.kafka.under_test import embedded_under_test, real_under_test

# New examples on every run of a developer, the same ones on every run of CI: a change lands or not for what it changed.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "developer")

# A shell's background job ignores Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GIVEN_KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
KAFKA_IS_REQUIRED = os.environ.get("PATHSTREAM_REQUIRE_KAFKA") == "1"
SETTINGS_BEGIN_WITH = (
    "GOOGLE_",
    "GEMINI_",
    "OPENAI_",
    "LLM_",
    "KAFKA_",
    "CONTENT_SERVICE_",
    "SKILLS_ENGINE_",
    "STATE_",
)


class RealKafkaReport:
    """How many tests ran on a real Kafka, on which, or why none did."""

    def __init__(self) -> None:
        self.ran = 0
        self.kafka = "none was needed"
        self.missing: str | None = None


NEEDS_A_REAL_KAFKA = {"real_kafka", "kafka_tools", "own_kafka"}
REPORT = pytest.StashKey[RealKafkaReport]()


def pytest_configure(config: pytest.Config) -> None:
    """One report per run."""
    config.stash[REPORT] = RealKafkaReport()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs Java or a real Kafka: `-m "not real_kafka"` leaves the quick ones."""
    for item in items:
        if isinstance(item, pytest.Function) and NEEDS_A_REAL_KAFKA.intersection(item.fixturenames):
            item.add_marker("real_kafka")


def pytest_runtest_call(item: pytest.Item) -> None:
    """Count the tests that really run on a real Kafka."""
    fixtures = item.funcargs if isinstance(item, pytest.Function) else {}
    kafka = fixtures.get("kafka")
    if "real_kafka" in fixtures or (isinstance(kafka, KafkaUnderTest) and kafka.kind == "real"):
        item.config.stash[REPORT].ran += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say on which real Kafka how many tests ran, loudly when none could."""
    report = config.stash[REPORT]
    if report.missing:
        terminalreporter.write_line(
            f"NO REAL KAFKA: {report.missing}. The tests that need one did not run.", red=True, bold=True
        )
    elif report.ran or KAFKA_IS_REQUIRED:
        terminalreporter.write_line(f"real Kafka: {report.kafka} - {report.ran} tests", bold=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """PATHSTREAM_REQUIRE_KAFKA=1 and no test on a real Kafka is a failure, however green the rest is."""
    ran = session.config.stash[REPORT].ran
    if KAFKA_IS_REQUIRED and not ran and not session.config.option.collectonly and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _nothing_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no model and no address from the environment or a `.env`: a test names what it uses."""
    for name in list(os.environ):
        if name.upper().startswith(SETTINGS_BEGIN_WITH):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def real_kafka(request: pytest.FixtureRequest) -> Iterator[RealKafka]:
    """The real Kafka of this run, started by the first test that asks for it."""
    report = request.config.stash[REPORT]
    try:
        kafka = choose_kafka(GIVEN_KAFKA)
    except NoKafkaError as exc:
        report.missing = str(exc)
        _give_up(f"no real Kafka: {exc}")
    report.kafka = kafka.name
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def own_kafka() -> Path:
    """Kafka's jars: for tests that start, kill and freeze a broker of their own."""
    try:
        return kafka_jars()
    except JarsUnavailableError as exc:
        _give_up(f"no Kafka of its own: {exc}")


@pytest.fixture
async def embedded_kafka() -> AsyncIterator[EmbeddedKafka]:
    """An embedded broker of this test's own; topics must be created, as on the real one."""
    async with EmbeddedKafka(auto_create_topics=False) as kafka:
        yield kafka


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real_kafka)])
def kafka(request: pytest.FixtureRequest) -> KafkaUnderTest:
    """Each of the two brokers in turn: the same test has to pass on both."""
    if request.param == "real":
        return real_under_test(request.getfixturevalue("real_kafka"))
    return embedded_under_test(request.getfixturevalue("embedded_kafka"))


@pytest.fixture
def connection(kafka: KafkaUnderTest) -> Connection:
    """The service's own way to connect to the `kafka` of this test."""
    return kafka.connection


@pytest.fixture
def create_topic(kafka: KafkaUnderTest) -> TopicFactory:
    """Make topics under names of their own: `await create_topic(partitions=4)`; takes a `config` too."""
    return kafka.create_topic


@pytest.fixture
def kafka_tools(kafka: KafkaUnderTest) -> KafkaTools:
    """Apache's own command-line tools, against the `kafka` of this test."""
    try:
        return KafkaTools(kafka_jars(), kafka.bootstrap_servers)
    except JarsUnavailableError as exc:
        _give_up(f"no Kafka tools: {exc}")


def _give_up(reason: str) -> NoReturn:
    if KAFKA_IS_REQUIRED:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of the test's own, which can be filled up."""
    with mounted(tmp_path / "disk") as disk:
        if not isinstance(disk, SmallDisk):
            pytest.skip("this machine's users may have no namespaces of their own, and so no disk")
        yield disk
