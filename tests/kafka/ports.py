"""Ports of this machine, and the wait until a broker answers on one."""

import contextlib
import socket
import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


def free_ports(count: int) -> list[int]:
    """TCP ports of the loopback interface that nobody listens on at this moment, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def wait_until_ready(bootstrap_servers: str, *, alive: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once a broker answers; raises RuntimeError when it dies or takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not listens(bootstrap_servers):
        _check(alive=alive, deadline=deadline)
        time.sleep(0.05)
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    while True:
        try:
            if admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            pass  # it listens, but does not answer yet
        _check(alive=alive, deadline=deadline)


def listens(address: str) -> bool:
    """Whether anybody takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


def _check(*, alive: Callable[[], bool], deadline: float) -> None:
    if not alive():
        raise RuntimeError("Kafka ended while it was starting")
    if time.monotonic() > deadline:
        raise RuntimeError("Kafka did not answer in time")
