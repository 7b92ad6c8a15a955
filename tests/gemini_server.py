"""A Gemini API on loopback that misbehaves on demand; the real SDK talks to it."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

Mode = Literal[
    "ok",
    "silent",
    "slow",
    "held",
    "rate_limited",
    "rate_limited_retry_info",
    "unavailable",
    "unauthorized",
    "bad_request",
    "forbidden",
    "not_found",
    "blocked_prompt",
    "safety",
    "recitation",
    "truncated",
    "prose",
    "fenced",
    "does_not_fit",
    "not_json",
    "never_offered",
    "no_candidates",
    "empty_text",
    "html",
    "cut_off",
    "strange_body",
    "unknown_finish",
    "huge_body",
]

_STATUSES: dict[Mode, tuple[int, str]] = {
    "rate_limited": (429, "RESOURCE_EXHAUSTED"),
    "rate_limited_retry_info": (429, "RESOURCE_EXHAUSTED"),
    "unavailable": (503, "UNAVAILABLE"),
    "unauthorized": (401, "UNAUTHENTICATED"),
    "bad_request": (400, "INVALID_ARGUMENT"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
}


def plan_json(resources: Sequence[str] = ()) -> str:
    """Return a learning path of two steps, as a model would write it."""
    steps = [
        {
            "step_number": number,
            "title": title,
            "description": f"{title}, by doing.",
            "estimated_duration": "1 week",
            "resources": list(resources) if number == 1 else [],
            "prerequisites": [] if number == 1 else ["Basics"],
            "skills_covered": [title.lower()],
        }
        for number, title in ((1, "Basics"), (2, "Project"))
    ]
    plan = {"goal": "Learn", "difficulty_level": "beginner", "total_duration": "2 weeks", "steps": steps}
    return json.dumps(plan)


def schema_of(request: dict[str, Any]) -> str:
    """The name of the schema that the answer has to fit; empty for none."""
    schema = request.get("generationConfig", {}).get("responseJsonSchema") or {}
    return str(schema.get("title", ""))


@dataclass
class GeminiServer:
    """An async context; `modes` are used up one per call, the last one stays. `requests` keeps every body."""

    modes: list[Mode] = field(default_factory=lambda: ["ok"])
    text: Callable[[dict[str, Any]], str] = lambda _request: plan_json()
    holds: Callable[[dict[str, Any]], bool] = lambda _request: False
    """Which calls hang until `release`."""
    slow_seconds: float = 0.2
    by_schema: dict[str, Mode] = field(default_factory=dict)
    """Modes of calls that ask for a schema of that name; they go before `modes`."""
    calls: Counter[str] = field(default_factory=Counter)
    """By the name of the schema asked for."""
    hold_until: int = 0
    """How many `held` calls have to be there at once before any is answered."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    base_url: str = ""
    _runner: web.AppRunner | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=2048).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.paths.append(request.path)
        self.keys.append(request.headers.get("x-goog-api-key", ""))
        schema = schema_of(body)
        self.calls[schema] += 1
        mode = self.by_schema.get(schema) or (self.modes.pop(0) if len(self.modes) > 1 else self.modes[0])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.holds(body):
                await self._released.wait()
            if mode == "held":
                await self._all_there()
            if mode in ("slow", "silent"):
                await asyncio.sleep(self.slow_seconds if mode == "slow" else 30)
            return await self._answer(request, mode, body)
        finally:
            self.at_once -= 1

    def release(self) -> None:
        """Answer the calls that hang."""
        self._released.set()

    async def _all_there(self) -> None:
        if self.at_once >= self.hold_until:
            self._released.set()
        await self._released.wait()

    async def _answer(self, request: web.Request, mode: Mode, body: dict[str, Any]) -> web.StreamResponse:
        if mode in _STATUSES:
            return _error(mode)
        if mode == "cut_off":
            return await _cut_off(request)
        if mode == "html":
            return web.Response(text="<html>busy</html>", content_type="text/html")
        if mode == "huge_body":
            return web.Response(body=b'{"candidates": [' + b" " * 2**24 + b"]}", content_type="application/json")
        return web.json_response(_content(mode, self.text(body)))


def _content(mode: Mode, text: str) -> object:
    """Build the JSON body of a 200."""
    contents: dict[Mode, object] = {
        "no_candidates": {},
        "strange_body": {"candidates": "none", "promptFeedback": 5},
        "blocked_prompt": {"promptFeedback": {"blockReason": "SAFETY"}},
        "safety": {"candidates": [{"finishReason": "SAFETY", "index": 0}]},
        "recitation": {"candidates": [{"finishReason": "RECITATION", "index": 0}]},
        "unknown_finish": _candidate(text, finish="MALFORMED_RESPONSE"),
        "truncated": _candidate(text[: len(text) // 2], finish="MAX_TOKENS"),
        "prose": _candidate(f"Sure! Here is {{your}} plan:\n{text}\nGood luck {{and have fun}}."),
        "fenced": _candidate(f"```json\n{text}\n```"),
        "does_not_fit": _candidate('{"goal": "Learn", "difficulty_level": "wizard", "steps": []}'),
        "not_json": _candidate("I would rather talk about the weather."),
        "never_offered": _candidate(plan_json(["res-invented", "Another invention"])),
        "empty_text": _candidate("  "),
    }
    return contents.get(mode, _candidate(text))


def _candidate(text: str, *, finish: str = "STOP") -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish, "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 50, "totalTokenCount": 150},
        "modelVersion": "gemini-test",
    }


def _error(mode: Mode) -> web.StreamResponse:
    code, status = _STATUSES[mode]
    error: dict[str, Any] = {"code": code, "message": "the prompt was: SECRET-PROMPT", "status": status}
    if mode == "rate_limited_retry_info":
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]
    headers = {"Retry-After": "3"} if mode == "rate_limited" else {}
    return web.json_response({"error": error}, status=code, headers=headers)


async def _cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-length": "1000", "content-type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"candidates": [')
    if request.transport is not None:
        request.transport.abort()
    return response
