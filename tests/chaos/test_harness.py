"""The harness's own parts: it reads the changelog's keys as the engine writes them, shares no code with it, and its
proxy does what it says."""

import ast
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.state import key_of
from tests.chaos.changelog import journaled, parts_of, remains_of
from tests.chaos.check import Remains
from tests.chaos.fleet import Worker
from tests.chaos.proxy import Link, carried
from tests.chaos.waiting import wait_until
from tests.disk import SmallDisk, mounted
from tests.kafka.ports import free_ports

OF_THE_PROJECT = {"agents", "clients", "consumers", "producers", "schemas"}


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_the_judge_reads_keys_as_the_engine_writes_them(parts: list[str]) -> None:
    assert parts_of(key_of(*parts)) == parts


def test_only_what_was_not_removed_remains() -> None:
    tally = b'{"count":2,"hash":"ab"}'
    records = [
        (key_of("s", "tally", "ann", "all"), b'{"count":1,"hash":"aa"}'),
        (key_of("s", "mark", "ann", "all"), b'{"count":1,"hash":"aa"}'),
        (key_of("j", "1", "ann", "ann:2", "read"), b'{"id":1}'),
        (key_of("j", "1", "ann", "ann:3", "read"), b'{"id":2}'),
        (key_of("s", "tally", "ann", "all"), tally),
        (key_of("s", "mark", "ann", "all"), None),
        (key_of("j", "1", "ann", "ann:2", "read"), None),
    ]
    assert remains_of(records) == Remains({"ann": (2, "ab")}, frozenset(), ["1 ann ann:3 read"])
    assert list(journaled(records)) == [1, 2]


def test_nothing_but_the_worker_uses_the_project() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        if path.name == "worker.py" or path.name.startswith("test_"):
            continue
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)]
        froms = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in imports for alias in node.names} | {node.module or "" for node in froms}
        assert not OF_THE_PROJECT & {name.split(".")[0] for name in names}, path.name


class DeafProcess(SmallDisk):
    """A disk on which, whatever is asked for, something runs that listens and takes no signals."""

    def __init__(self, port: int) -> None:
        self._port = port

    def command(self, *_command: str) -> list[str]:
        listening = f"import socket, time; s = socket.create_server(('127.0.0.1', {self._port})); time.sleep(60)"
        return [sys.executable, "-c", listening]


def test_a_worker_that_has_begun_and_dies_of_a_signal_has_not_ended_in_good_order(tmp_path: Path) -> None:
    [port] = free_ports(1)
    worker = Worker(0, Link(0, 0), DeafProcess(port), tmp_path, {"HTTP_PORT": str(port)})
    worker.start()
    try:
        wait_until(lambda: _answers(port), "the process to listen", 20)
        assert worker.terminate() == -signal.SIGTERM
    finally:
        worker.close()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_worker_that_is_told_to_end_at_once_ends_in_good_order(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with mounted(tmp_path / "w0") as disk:
        worker = Worker(0, Link(0, 0), disk, tmp_path, {"HTTP_PORT": str(port)})
        worker.start()
        try:
            assert worker.terminate() == 0
        finally:
            worker.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_link_carries_delays_hushes_and_cuts(server: socket.socket) -> None:
    [port] = free_ports(1)
    link = Link(port, server.getsockname()[1])
    with carried([link]) as run:
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        behind, _ = server.accept()
        behind.settimeout(5)
        with closing(client), closing(behind):
            client.sendall(b"at once")
            assert behind.recv(100) == b"at once"
            run(link.delay(0.2))
            sent_at = time.monotonic()
            behind.sendall(b"late")
            assert (client.recv(100), time.monotonic() - sent_at > 0.2) == (b"late", True)
            run(link.delay(0.0))
            run(link.hush())
            client.sendall(b"unheard")
            behind.settimeout(0.3)
            with pytest.raises(TimeoutError):
                behind.recv(100)
            run(link.mend())
            behind.settimeout(5)
            assert behind.recv(100) == b"unheard"
            run(link.cut())
            with pytest.raises(ConnectionResetError):
                client.recv(100)
            with pytest.raises(ConnectionResetError):
                behind.recv(100)
        with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=5) as refused:
            refused.recv(100)


def test_the_last_words_of_a_connection_arrive(server: socket.socket) -> None:
    [port] = free_ports(1)
    link = Link(port, server.getsockname()[1])
    with carried([link]) as run:
        run(link.delay(0.1))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"goodbye")
        behind, _ = server.accept()
        with closing(behind):
            behind.settimeout(5)
            assert behind.recv(100) == b"goodbye"
