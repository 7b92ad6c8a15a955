"""A real Apache Kafka as a process of this machine: Java and Kafka's own jars, no Docker."""

import atexit
import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.kafka.config import NO_ROUTES, Route, server_properties
from tests.kafka.jars import KAFKA_VERSION, java_command, kafka_jars
from tests.kafka.ports import free_ports, listens, wait_until_ready
from tests.kafka.tools import KafkaTools, ToolName

CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA"
STOP_SECONDS = 15.0
LOG_TAIL = 2000


class LocalKafka:
    """One broker on the loopback interface, started, stopped, killed and frozen by its own pid.

    Every call blocks; in async tests use `asyncio.to_thread`. Data lives in a temporary folder from
    `start()` to `stop()`; `kill()` keeps it: `restart()` brings the same broker back on its port.
    """

    def __init__(self, port: int = 0, jars: Path | None = None, *, routes: Mapping[str, Route] = NO_ROUTES) -> None:
        """Takes a free port for 0; the jars are resolved when not given (raises JarsUnavailableError).

        `routes` are more listeners by their names, e.g. for clients that come through a proxy.
        """
        self._jars = jars or kafka_jars()
        own_port, self._controller_port = free_ports(2)
        self._port = port or own_port
        self._routes = routes
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tools = KafkaTools(self._jars, self.bootstrap_servers)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    @property
    def name(self) -> str:
        """What the summary of a test run calls it."""
        return f"Apache Kafka {KAFKA_VERSION} (Java)"

    @property
    def log(self) -> Path:
        """The broker's own log, from `start()` to `stop()`."""
        return self._data_folder() / "server.log"

    @property
    def pid(self) -> int:
        """The broker's process id; raises RuntimeError while it does not run."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the broker's process runs (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Format a new data folder and return once the broker answers."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pathstream-kafka-"))
            atexit.register(self.stop)
            self._format(self._folder)
        self._launch()

    def stop(self) -> None:
        """End the broker in good order, by force after 15 s, and remove its data."""
        atexit.unregister(self.stop)
        if self._process is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
                self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def kill(self) -> None:
        """Kill -9: no goodbye to anybody, the data stays."""
        process = self._running()
        process.kill()
        process.wait()

    def restart(self) -> None:
        """Bring the broker back on its data and port, killing it first if it still runs."""
        if self.alive:
            self.kill()
        self._launch()

    def freeze(self) -> None:
        """Stop the process in its tracks: connections stay open, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._running().send_signal(signal.SIGCONT)

    def tool_command(self, name: ToolName, *args: str) -> list[str]:
        """The command line of one of Kafka's tools against this broker."""
        return self._tools.tool_command(name, *args)

    def tool(self, name: ToolName, *args: str, input: str | None = None, timeout: float = 30.0) -> str:  # noqa: A002
        """Run one of Kafka's tools against this broker and return what it printed (see KafkaTools.tool)."""
        return self._tools.tool(name, *args, input=input, timeout=timeout)

    def _format(self, folder: Path) -> None:
        properties = server_properties(
            listener=f"127.0.0.1:{self._port}",
            controller=f"127.0.0.1:{self._controller_port}",
            advertised=self.bootstrap_servers,
            folder=str(folder / "data"),
            controller_port=self._controller_port,
            routes=self._routes,
        )
        (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        command = java_command(self._jars, "kafka.tools.StorageTool", "-XX:TieredStopAtLevel=1")
        command += ["format", "-t", CLUSTER_ID, "-c", str(folder / "server.properties")]
        run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if run.returncode != 0:
            raise RuntimeError(f"Kafka's storage was not formatted: {run.stdout[-LOG_TAIL:]}{run.stderr[-LOG_TAIL:]}")

    def _launch(self) -> None:
        properties = self._data_folder() / "server.properties"
        if listens(self.bootstrap_servers):
            raise RuntimeError(f"port {self._port} is taken")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*java_command(self._jars, "kafka.Kafka", "-Xmx512m"), str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop it in good order
            )
        try:
            wait_until_ready(self.bootstrap_servers, alive=lambda: self.alive)
        except RuntimeError as exc:
            raise RuntimeError(f"{exc}\n{self.log.read_text()[-LOG_TAIL:]}") from exc

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.alive:
            raise RuntimeError("this Kafka does not run")
        return self._process

    def _data_folder(self) -> Path:
        if self._folder is None:
            raise RuntimeError("this Kafka was not started")
        return self._folder
