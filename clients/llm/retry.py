"""A Model that asks again when the provider may answer later: the one layer that retries model calls."""

from clients.backoff import Backoff, retrying
from clients.clock import Clock, SystemClock
from clients.llm.base import Answer, Model, Prompt
from clients.llm.leave import wait_for_leave


class RetryingModel:
    """Retries the ModelTransientErrors of `model`, honouring Retry-After; other errors pass at once.

    Each attempt asks for leave first (`clients/llm/leave.py`). Raises the last error when the attempts are used up or
    the next would start after `total_seconds`.
    """

    def __init__(self, model: Model, backoff: Backoff, clock: Clock | None = None) -> None:
        self._model = model
        self._backoff = backoff
        self._clock = clock or SystemClock()

    @property
    def name(self) -> str:
        """The name of the model within."""
        return self._model.name

    async def generate(self, request: Prompt) -> Answer:
        """Answer one prompt, after as many attempts as it takes and is allowed."""
        async for attempt in retrying(self._backoff, self._clock):
            with attempt:
                await wait_for_leave()
                return await self._model.generate(request)
        raise AssertionError("the retry loop ends by returning or raising")
