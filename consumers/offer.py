"""What the content service has for a learner: read by every flow that makes a path, and gone on without."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from pydantic import BaseModel

from clients.content_service import ContentService
from schemas.errors import ContentServiceError
from schemas.ids import LearnerId
from schemas.outputs import Resource

Value = TypeVar("Value")

_log = structlog.get_logger("pathstream.offer")


class Offer(BaseModel):
    """Resources and mastery; None for what the content service did not give."""

    resources: list[Resource] | None
    mastery: dict[str, float] | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.resources is not None and self.mastery is not None


async def read_offer(content: ContentService, learner_id: LearnerId) -> Offer:
    """Both reads at once; what fails is left out."""
    async with asyncio.TaskGroup() as reads:
        resources = reads.create_task(_or_none(content.get_available_resources(learner_id)))
        mastery = reads.create_task(_or_none(content.get_user_mastery_score(learner_id)))
    return Offer(resources=resources.result(), mastery=mastery.result())


async def _or_none(read: Awaitable[Value]) -> Value | None:
    try:
        return await read
    except ContentServiceError as exc:
        _log.warning("content service gave nothing, going on without", error=type(exc).__name__)
        return None
