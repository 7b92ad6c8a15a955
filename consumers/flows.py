"""The flows of the service, each put together from the resources that the worker has opened."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.learning_path import LearningPathAgent
from agents.planner import Planner
from clients.clock import Clock
from clients.content_service import ContentService
from clients.llm.base import Model
from consumers.engine.flow import Flow
from consumers.engine.global_table import GlobalTable
from consumers.learning_goal import LearningGoalConsumer
from consumers.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What flows are made of; without `model` plans are made offline."""

    settings: Settings
    content: ContentService
    model: Model | None
    clock: Clock

    @property
    def planner(self) -> Planner:
        """How agents that plan ask their model."""
        settings = self.settings
        return Planner(
            model=self.model,
            on_llm_failure=settings.on_llm_failure,
            temperature=settings.llm_temperature,
            max_tokens=settings.llm_max_tokens,
        )


class Job(NamedTuple):
    """A flow, and the global tables that have to be whole before it may run."""

    flow: Flow[Any]
    needs: tuple[GlobalTable[Any], ...] = ()


def all_jobs(parts: Parts) -> list[Job]:
    """Everything one worker does."""
    return [learning_goal(parts)]


def learning_goal(parts: Parts) -> Job:
    """A learner states a goal, a path comes out."""
    settings = parts.settings
    consumer = LearningGoalConsumer(
        content=parts.content,
        agent=LearningPathAgent(parts.planner),
        clock=parts.clock,
        max_event_bytes=settings.max_event_bytes,
    )
    return Job(consumer.flow())
