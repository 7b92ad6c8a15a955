"""The flows of the service, each put together from the resources that the worker has opened."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agents.grading.agent import GradingAgent
from agents.learning_path import LearningPathAgent
from agents.planner import Planner
from agents.skill_path import SkillPathAgent
from clients.clock import Clock
from clients.cluster import Cluster
from clients.content_service import ContentService
from clients.kafka import Connection
from clients.llm.base import Model
from clients.skills_engine import SkillsEngine
from consumers.engine.flow import Flow
from consumers.engine.global_table import GlobalTable
from consumers.exam.flow import ExamConsumer, ExamPolicy
from consumers.learning_goal import LearningGoalConsumer
from consumers.settings import Settings
from consumers.skills_gap.flow import SkillsGapConsumer
from consumers.skills_gap.path_maker import PathMaker
from consumers.topics import COMPANY_UPDATED
from schemas import codec
from schemas.errors import InvalidEventError
from schemas.gap import CompanyUpdatedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What flows are made of; without `model` plans are made offline."""

    settings: Settings
    connection: Connection
    cluster: Cluster
    content: ContentService
    skills_engine: SkillsEngine
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


def skills_gap(parts: Parts) -> Job:
    """A learner's gap changes, the path follows; companies say who has to be asked."""
    settings = parts.settings
    companies = GlobalTable(COMPANY_UPDATED, _company, parts.connection, parts.cluster)
    paths = PathMaker(
        content=parts.content,
        skills_engine=parts.skills_engine,
        agent=SkillPathAgent(parts.planner),
        clock=parts.clock,
    )
    consumer = SkillsGapConsumer(
        paths=paths,
        companies=companies,
        generation=settings.path_generation,
        clock=parts.clock,
        max_event_bytes=settings.max_event_bytes,
    )
    return Job(consumer.flow(), needs=(companies,))


def _company(key: bytes, value: bytes) -> CompanyUpdatedEvent:
    """A row of the companies' table; raises EventError."""
    company = codec.decode(CompanyUpdatedEvent, value, max_bytes=len(value))
    if company.company_id.encode() != key:
        raise InvalidEventError("the record's key is not its company_id")
    return company


def exam(parts: Parts) -> Job:
    """A student hands in an exam, an evaluation comes out."""
    settings = parts.settings
    consumer = ExamConsumer(
        content=parts.content,
        agent=GradingAgent(
            parts.model, temperature=settings.llm_grading_temperature, max_tokens=settings.llm_max_tokens
        ),
        clock=parts.clock,
        policy=ExamPolicy(
            require_enrollment=settings.require_enrollment,
            grace_minutes=settings.time_limit_grace_minutes,
            grade_offline_in_an_outage=settings.on_llm_failure == "degrade",
        ),
        max_event_bytes=settings.max_event_bytes,
    )
    return Job(consumer.flow())


BUILDERS: Final = (learning_goal, skills_gap, exam)
"""Everything one worker does."""
