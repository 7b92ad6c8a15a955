"""A real Apache Kafka in a container, for machines with a Docker engine."""

import os
from pathlib import Path

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from docker.models.containers import Container  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from tests.kafka.config import server_properties
from tests.kafka.jars import KAFKA_VERSION
from tests.kafka.ports import free_port, wait_until_ready

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
CONTROLLER_PORT = 29093
DOCKER_SOCKET = Path("/var/run/docker.sock")


def docker_answers() -> bool:
    """Whether a Docker engine can be reached from here."""
    if "DOCKER_HOST" not in os.environ and not DOCKER_SOCKET.exists():
        return False
    try:
        client = docker.from_env()
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


class ContainerKafka:
    """One broker in a container; killed, restarted on its data, frozen and thawed like a local one."""

    def __init__(self, port: int = 0) -> None:
        self._port = port or free_port()
        self._container = DockerContainer(IMAGE).with_bind_ports(self._port, self._port)
        properties = server_properties(
            listener=f"0.0.0.0:{self._port}",
            controller=f"127.0.0.1:{CONTROLLER_PORT}",
            advertised=self.bootstrap_servers,
            folder="/tmp/kafka-data",  # noqa: S108  inside the container
            controller_port=CONTROLLER_PORT,
        )
        for key, value in properties.items():
            self._container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    @property
    def name(self) -> str:
        """What the summary of a test run calls it."""
        return f"Apache Kafka {KAFKA_VERSION} (Docker)"

    def start(self) -> None:
        """Start the container and return once the broker answers."""
        self._container.start()
        self._wait()

    def stop(self) -> None:
        """Remove the container and its data."""
        self._container.stop()

    def kill(self) -> None:
        """Kill -9: no goodbye to anybody, the data stays."""
        self._wrapped().kill()

    def restart(self) -> None:
        """Bring the broker back on its data and port, killing it first if it still runs."""
        if self._status() == "running":
            self.kill()
        self._wrapped().start()
        self._wait()

    def freeze(self) -> None:
        """Stop the processes in their tracks: connections stay open, nothing is answered."""
        self._wrapped().pause()

    def thaw(self) -> None:
        """Let a frozen container go on."""
        self._wrapped().unpause()

    def _wait(self) -> None:
        wait_until_ready(self.bootstrap_servers, alive=lambda: self._status() in {"created", "running"})

    def _status(self) -> str:
        container = self._wrapped()
        container.reload()
        return str(container.status)

    def _wrapped(self) -> Container:
        return self._container.get_wrapped_container()
