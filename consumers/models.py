"""Which model answers: the provider of the settings, with its decorators, counted."""

import httpx2

from clients.backoff import Backoff
from clients.llm.base import Answer, Model, Prompt
from clients.llm.retry import RetryingModel
from consumers.observability import Metrics
from consumers.observability.metrics import ModelOutcome
from consumers.settings import Settings
from schemas.errors import (
    ModelBlockedError,
    ModelError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelTransientError,
    ModelTruncatedError,
)

_RETRY_SECONDS = 20.0
_TIMEOUTS_PER_PROMPT = 2
"""A prompt is given up when so many of its calls could have timed out."""

_OUTCOMES: tuple[tuple[type[ModelError], ModelOutcome], ...] = (
    (ModelTimeoutError, "timeout"),
    (ModelTransientError, "transient"),
    (ModelRejectedError, "rejected"),
    (ModelBlockedError, "blocked"),
    (ModelTruncatedError, "truncated"),
    (ModelError, "malformed"),
)


class CountedModel:
    """A Model whose calls are counted by how they ended."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    @property
    def name(self) -> str:
        """The name of the model within."""
        return self._model.name

    async def generate(self, request: Prompt) -> Answer:
        """Answer one prompt; raises what the model within raises."""
        try:
            answer = await self._model.generate(request)
        except ModelError as exc:
            self._metrics.model_call(next(outcome for kind, outcome in _OUTCOMES if isinstance(exc, kind)))
            raise
        self._metrics.model_call("answered")
        return answer


def build_model(settings: Settings, http: httpx2.AsyncClient, metrics: Metrics) -> Model | None:
    """The model in force, or None when plans are to be made offline."""
    if settings.provider == "offline" or settings.google_api_key is None:
        return None
    from clients.llm.gemini import GeminiModel  # noqa: PLC0415 - a third of a start, never needed offline

    gemini = GeminiModel(
        http,
        api_key=settings.google_api_key,
        model=settings.llm_model,
        base_url=settings.llm_base_url,
        timeout_seconds=settings.llm_timeout_seconds,
    )
    total_seconds = max(_RETRY_SECONDS, settings.llm_timeout_seconds * _TIMEOUTS_PER_PROMPT)
    return RetryingModel(CountedModel(gemini, metrics), Backoff(total_seconds=total_seconds))
