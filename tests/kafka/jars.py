"""Apache Kafka's own jars: resolved once by Maven into `.kafka/lib`, used from there ever after."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
JARS = HERE.parents[1] / ".kafka" / "lib"
LOG_CONFIG = HERE / "log4j2.properties"
KAFKA_VERSION = "4.1.0"
JAVA_VERSION = 17
RESOLVE_SECONDS = 600


class JarsUnavailableError(Exception):
    """Kafka's jars cannot run on this machine; the message says what is missing."""


def kafka_jars() -> Path:
    """The folder with Kafka's jars, filled by Maven the first time; raises JarsUnavailableError."""
    _require_java()
    if not (JARS / f"kafka-server-{KAFKA_VERSION}.jar").is_file():
        _resolve()
    return JARS


def java_command(jars: Path, main_class: str, *options: str) -> list[str]:
    """The command that runs one of the jars' classes; its arguments follow."""
    logging = f"-Dlog4j2.configurationFile={LOG_CONFIG}"
    return ["java", *options, "-XX:+UseSerialGC", logging, "-cp", f"{jars}/*", main_class]


def _require_java() -> None:
    if shutil.which("java") is None:
        raise JarsUnavailableError(f"Java {JAVA_VERSION} or newer is not installed")
    shown = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < JAVA_VERSION:
        found = version[1] if version else "of an unknown version"
        raise JarsUnavailableError(f"Java {JAVA_VERSION} or newer is needed, but java is {found}")


def _resolve() -> None:
    if shutil.which("mvn") is None:
        raise JarsUnavailableError("Maven (mvn) is not installed")
    JARS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as workspace:
        unfinished = Path(workspace) / "lib"
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime"]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RESOLVE_SECONDS)
        except subprocess.TimeoutExpired:
            raise JarsUnavailableError(f"Maven took longer than {RESOLVE_SECONDS} s") from None
        if run.returncode != 0:
            raise JarsUnavailableError(f"Maven could not resolve Kafka's jars: {run.stdout.strip()[:500]}")
        if not JARS.exists():
            unfinished.rename(JARS)
