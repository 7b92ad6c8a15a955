"""The operators' command-line tools of Apache Kafka, as its own jars bring them."""

import subprocess
from pathlib import Path
from typing import Literal

from tests.kafka.jars import java_command

ToolName = Literal[
    "kafka-console-consumer",
    "kafka-console-producer",
    "kafka-consumer-groups",
    "kafka-topics",
    "kafka-get-offsets",
]

CLASSES: dict[ToolName, str] = {
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
}


class ToolError(Exception):
    """A tool ended with an error; the message holds what it printed."""


class KafkaTools:
    """Runs Kafka's tools against one broker. Every call blocks: in async tests use `asyncio.to_thread`."""

    def __init__(self, jars: Path, bootstrap_servers: str) -> None:
        self._jars = jars
        self._bootstrap_servers = bootstrap_servers

    def tool_command(self, name: ToolName, *args: str) -> list[str]:
        """The command line of a tool, to be started by the test; `--bootstrap-server` is filled in."""
        command = java_command(self._jars, CLASSES[name], "-XX:TieredStopAtLevel=1", "-Xmx256m")
        if "--bootstrap-server" not in args:
            command += ["--bootstrap-server", self._bootstrap_servers]
        return [*command, *args]

    def tool(self, name: ToolName, *args: str, input: str | None = None, timeout: float = 30.0) -> str:  # noqa: A002
        """Run a tool to its end and return what it printed.

        Raises ToolError, or subprocess.TimeoutExpired after `timeout` seconds.
        """
        run = subprocess.run(
            self.tool_command(name, *args),
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if run.returncode != 0:
            raise ToolError(f"{name} ended with {run.returncode}: {run.stdout}{run.stderr}")
        return run.stdout
