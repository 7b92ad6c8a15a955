"""`pathstream run`: what an operator sees of a worker from outside."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp

from tests.integration.terminal import NOBODY_LISTENS, pathstream, started
from tests.kafka import KafkaUnderTest

STARTED = "worker started"


class WorkerLog:
    """The lines a worker writes, as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self.lines: list[dict[str, Any]] = []

    async def until(self, event: str) -> dict[str, Any]:
        """Read on until an event; gives its line."""
        async with asyncio.timeout(40):
            while True:
                raw = await self._stream.readline()
                assert raw, f"the worker ended before {event!r}"
                line: dict[str, Any] = json.loads(raw)
                self.lines.append(line)
                if line["event"] == event:
                    return line

    def events(self, *, logger: str) -> list[str]:
        """Events of a library, WARNING and above, since the lines were last cleared."""
        return [
            line["event"]
            for line in self.lines
            if line.get("logger", "").startswith(logger) and line["level"] in ("warning", "error")
        ]


async def test_an_outage_is_two_lines_and_the_worker_goes_on(kafka: KafkaUnderTest) -> None:
    await pathstream(kafka.bootstrap_servers, "topics", "create", "--partitions", "2")
    async with started(kafka.bootstrap_servers, "run", environment={"HTTP_PORT": "0"}) as process:
        log = WorkerLog(process)
        base = f"http://127.0.0.1:{(await log.until(STARTED))['http_port']}"
        await log.until("task.active")
        async with kafka.outage():
            away = await log.until("Kafka does not answer")
            assert away["bootstrap_servers"] == kafka.bootstrap_servers
            async with aiohttp.ClientSession() as session, session.get(f"{base}/readyz") as answer:
                assert answer.status == 503
                assert "Kafka has not answered" in (await answer.json())["reasons"][0]
            log.lines.clear()
        back = await log.until("Kafka answers again")
        assert back["hidden_lines"] > 0
        assert log.events(logger="aiokafka") == []
        process.send_signal(signal.SIGTERM)
        await log.until("worker stopped")
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_the_worker_answers_over_http(kafka: KafkaUnderTest) -> None:
    await pathstream(kafka.bootstrap_servers, "topics", "create", "--partitions", "2")
    async with started(kafka.bootstrap_servers, "run", environment={"HTTP_PORT": "0"}) as process:
        log = WorkerLog(process)
        base = f"http://127.0.0.1:{(await log.until(STARTED))['http_port']}"
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            while True:
                async with session.get(f"{base}/readyz") as answer:
                    if answer.status == 200:
                        break
                    assert (await answer.json())["reasons"]
                await asyncio.sleep(0.05)
            async with session.get(f"{base}/livez") as answer:
                assert answer.status == 200
            async with session.get(f"{base}/metrics") as answer:
                assert 'pathstream_waiting_events{flow="learning_goal"}' in await answer.text()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_worker_that_is_told_to_end_before_it_has_begun_ends_in_good_order() -> None:
    async with started(NOBODY_LISTENS, "run", environment={"HTTP_PORT": "0"}) as process:
        async with asyncio.timeout(20):
            while not _takes(signal.SIGTERM, process.pid):
                await asyncio.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.communicate(), 20) == (b"", b"")
    assert process.returncode == 0


def _takes(number: signal.Signals, pid: int) -> bool:
    """Whether the process has a handler for the signal, as Linux tells."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> (number - 1) & 1)
