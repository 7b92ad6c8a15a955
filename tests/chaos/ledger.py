"""The fake paid service: a process of its own that survives every fault and counts every call.

`POST /call` {event, step, worker, slow} takes 5 to 100 ms, a slow one seconds, and answers {id}; `GET /calls` lists all
calls so far. Each call is also appended to a file when it begins and when it ends, so that nothing is lost with the
process.
"""

import argparse
import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.chaos.repeats import Call

_QUICK_SECONDS = 0.005, 0.1
_KEEP_ALIVE_SECONDS = 3600.0


class Ledger:
    """The calls so far."""

    def __init__(self, path: Path, slow_seconds: tuple[float, float]) -> None:
        """`slow_seconds`: the shortest and the longest slow call."""
        self._slow_seconds = slow_seconds
        self._calls: list[Call] = []
        self._file = path.open("a", buffering=1)

    async def call(self, request: web.Request) -> web.Response:
        """Take a call, work on it, answer it. Goes on to its end when the caller is gone: it has to be paid."""
        asked = await request.json()
        call = Call(len(self._calls), asked["event"], asked["step"], asked["worker"], time.monotonic())
        self._calls.append(call)
        self._note({"id": call.id, **asked, "begun": call.begun})
        await asyncio.sleep(random.uniform(*(self._slow_seconds if asked["slow"] else _QUICK_SECONDS)))
        ended = time.monotonic()
        self._calls[call.id] = call._replace(ended=ended)
        self._note({"id": call.id, "ended": ended})
        return web.json_response({"id": call.id})

    async def calls(self, _request: web.Request) -> web.Response:
        """All calls so far, those that have not ended as if they never would."""
        return web.Response(text=json.dumps(self._calls), content_type="application/json")

    def _note(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")


async def serve(path: Path, slow_seconds: tuple[float, float]) -> None:
    """Print the port that was taken, then serve until the process is ended."""
    ledger, app = Ledger(path, slow_seconds), web.Application()
    app.add_routes([web.post("/call", ledger.call), web.get("/calls", ledger.calls)])
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=_KEEP_ALIVE_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("slow", type=float, nargs=2, help="the shortest and the longest slow call, in seconds")
    asked = parser.parse_args()
    asyncio.run(serve(asked.file, tuple(asked.slow)))
