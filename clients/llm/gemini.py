"""Gemini through google-genai's async client; every failure of the SDK is translated here, once."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx2
from google.genai import Client, errors, types
from pydantic import SecretStr

from clients.backoff import retry_after_seconds
from clients.clock import Clock, SystemClock
from clients.llm.base import Answer, JsonSchema, Prompt, Usage
from schemas.errors import (
    ModelBlockedError,
    ModelError,
    ModelMalformedError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelTransientError,
    ModelTruncatedError,
)

API_VERSION = "v1beta"

_FINISHED = ("STOP", "FINISH_REASON_UNSPECIFIED", "")
_CUT = ("MAX_TOKENS", "CONTINUATION")
_BLOCKED = (
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "MODEL_ARMOR",
)
# What `response_json_schema` documents; other keywords may be refused with a 400.
_SCHEMA_KEYWORDS = frozenset({
    "$ref", "$defs", "$id", "$anchor", "type", "format", "title", "description", "enum", "items",
    "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties",
    "additionalProperties", "required",
})  # fmt: skip
_RETRY_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiModel:
    """One Gemini model. `http` is the app's client: it bounds the calls at a time and the answers' size.

    The SDK's own retries are off, also the hidden one of its aiohttp transport (a second attempt 1 to 10
    seconds after a lost connection): it takes that transport only when it is not given a client.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        api_key: SecretStr,
        model: str,
        base_url: str | None = None,
        timeout_seconds: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self.name = f"gemini/{model.removeprefix('models/')}"
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._clock = clock or SystemClock()
        self._client = Client(
            vertexai=False,
            api_key=api_key.get_secret_value(),
            http_options=types.HttpOptions(
                base_url=base_url, api_version=API_VERSION, httpx_async_client=http, retry_options=None
            ),
        )

    async def generate(self, request: Prompt) -> Answer:
        """Answer one prompt within `timeout_seconds`; raises a ModelError for what is no complete answer."""
        with self._translated():
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._client.aio.models.generate_content(
                    model=self._model, contents=request.data, config=_config(request)
                )
            return self._answer(response)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the SDK's, the transport's and the parser's errors into the tree of schemas/errors."""
        try:
            yield
        except ModelError:
            raise
        except errors.APIError as exc:
            raise _status_error(exc, self._clock) from exc
        except (TimeoutError, httpx2.TimeoutException) as exc:
            raise ModelTimeoutError(f"no answer from {self.name} within {self._timeout_seconds} s") from exc
        except httpx2.HTTPError as exc:
            raise ModelTransientError(f"no answer from {self.name}: {type(exc).__name__}") from exc
        except (ValueError, TypeError, AttributeError, LookupError) as exc:
            # The SDK reads an answer without checking it first: a body of another shape ends in any of these.
            raise ModelMalformedError(f"{self.name} sent what is no answer: {type(exc).__name__}") from exc

    def _answer(self, response: types.GenerateContentResponse) -> Answer:
        """Take the text of a finished answer; success in HTTP is not yet an answer."""
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            raise ModelBlockedError(f"{self.name} blocked the prompt: {feedback.block_reason.name}")
        if not response.candidates:
            raise ModelMalformedError(f"{self.name} sent no candidate")
        candidate = response.candidates[0]
        reason = candidate.finish_reason.name if candidate.finish_reason else ""
        if reason in _BLOCKED or "IMAGE" in reason:
            raise ModelBlockedError(f"{self.name} blocked the answer: {reason}")
        if reason in _CUT:
            raise ModelTruncatedError(f"{self.name} ran into the output limit")
        if reason not in _FINISHED:
            raise ModelMalformedError(f"{self.name} ended with {reason}")
        parts = (candidate.content.parts if candidate.content else None) or []
        text = "".join(part.text for part in parts if part.text and not part.thought)
        if not text.strip():
            raise ModelMalformedError(f"{self.name} sent an empty text")
        return Answer(text=text, model=self.name, finish_reason=reason, usage=_usage(response))


def _config(request: Prompt) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(
        system_instruction=request.instructions,
        temperature=request.temperature,
        max_output_tokens=request.max_tokens,
        response_mime_type="application/json" if request.json_schema else None,
        response_json_schema=_supported(request.json_schema) if request.json_schema else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )


def _supported(schema: JsonSchema) -> dict[str, Any]:
    """Leave out the keywords Gemini does not know; pydantic checks them when the answer is there."""
    kept: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs"):
            kept[keyword] = {name: _supported(part) for name, part in value.items()}
        elif keyword in _SCHEMA_KEYWORDS:
            kept[keyword] = _supported_value(value)
    return kept


def _supported_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _supported(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_supported_value(entry) for entry in value]
    return value


def _usage(response: types.GenerateContentResponse) -> Usage:
    used = response.usage_metadata
    if used is None:
        return Usage()
    output = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
    return Usage(input_tokens=used.prompt_token_count or 0, output_tokens=output)


def _status_error(error: errors.APIError, clock: Clock) -> ModelError:
    """Judge an HTTP status; the provider's message stays out, it may repeat the prompt."""
    code = error.code if isinstance(error.code, int) else 0
    status = error.status if isinstance(error.status, str) and error.status.isupper() else ""
    message = f"gemini answered {code} {status}".rstrip()
    if code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT):
        return ModelTimeoutError(message)
    if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ModelTransientError(message, retry_after_seconds=_retry_after(error, clock))
    if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ModelRejectedError(message)
    return ModelMalformedError(message)


def _retry_after(error: errors.APIError, clock: Clock) -> float | None:
    """Read how long to wait: the `Retry-After` header, else google.rpc.RetryInfo in the body."""
    headers = getattr(error.response, "headers", None)
    from_header = retry_after_seconds(headers, clock) if headers is not None else None
    if from_header is not None:
        return from_header
    body = error.details.get("error") if isinstance(error.details, dict) else None
    details = body.get("details") if isinstance(body, dict) else None
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
            delay = _RETRY_DELAY.fullmatch(str(detail.get("retryDelay", "")))
            return float(delay[1]) if delay else None
    return None
