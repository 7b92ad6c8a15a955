"""A Kafka that somebody else runs, named by KAFKA_BOOTSTRAP_SERVERS: used, never started or stopped."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenKafka:
    """Where it is; starting and stopping it is not ours."""

    bootstrap_servers: str

    @property
    def name(self) -> str:
        """What the summary of a test run calls it."""
        return f"the Kafka at {self.bootstrap_servers}"

    def start(self) -> None:
        """Runs already."""

    def stop(self) -> None:
        """Goes on running."""
