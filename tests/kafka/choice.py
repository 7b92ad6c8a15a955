"""Which real Kafka: a given one, one in Docker, one from Kafka's own jars; the first that can be had."""

from typing import Protocol

from tests.kafka.container import ContainerKafka, docker_answers
from tests.kafka.given import GivenKafka
from tests.kafka.jars import JarsUnavailableError, kafka_jars
from tests.kafka.local import LocalKafka


class RealKafka(Protocol):
    """A real broker for tests; `LocalKafka` and `ContainerKafka` can also be killed, restarted and frozen."""

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""

    @property
    def name(self) -> str:
        """What the summary of a test run calls it."""

    def start(self) -> None:
        """Return once it answers."""

    def stop(self) -> None:
        """End it and remove its data, if it is ours."""


class NoKafkaError(Exception):
    """No real Kafka can run on this machine; the message says what is missing."""


def choose_kafka(given: str | None, port: int = 0) -> RealKafka:
    """The Kafka to use, not started yet; `given` is KAFKA_BOOTSTRAP_SERVERS. Raises NoKafkaError."""
    if given:
        return GivenKafka(given)
    if docker_answers():
        return ContainerKafka(port)
    try:
        return LocalKafka(port, kafka_jars())
    except JarsUnavailableError as exc:
        raise NoKafkaError(f"no Docker engine answers, and {exc}") from exc
