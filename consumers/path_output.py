"""How paths and their progress are published, the same for every flow that makes them."""

from datetime import datetime
from typing import TypeVar

from consumers.engine.context import Context, Emission
from consumers.topics import LEARNING_PATH, PATH_PROGRESS
from schemas.errors import OutputTooLargeError
from schemas.outputs import LearningPathRecord, PathProgressRecord, ProgressStatus

Path = TypeVar("Path", bound=LearningPathRecord)


def emit_path(context: Context, record: Path) -> Path:
    """Publish a path, with all resources on offer where the topic takes them; gives what was published.

    Raises OutputTooLargeError when it is too large even with the resources in use alone.
    """
    try:
        context.emit(LEARNING_PATH, record, place=LEARNING_PATH)
    except OutputTooLargeError:
        record = only_resources_in_use(record)
        context.emit(LEARNING_PATH, record, place=LEARNING_PATH)
    return record


def only_resources_in_use(record: Path) -> Path:
    """The record without the resources that no step and no recommendation names."""
    used = {name for step in record.learning_path.steps for name in step.resources}
    used |= {name for recommendation in record.recommendations for name in recommendation.resource_ids}
    kept = [resource for resource in record.available_resources if used & {resource.resourceId, resource.name}]
    return record.model_copy(update={"available_resources": kept, "available_resources_truncated": True})


def progress(
    context: Context,
    percent: int,
    stage: str,
    *,
    at: datetime,
    status: ProgressStatus = "processing",
    competency: str | None = None,
    job_id: str | None = None,
) -> Emission:
    """How far a path is; `job_id` is the event's own id unless it is about an earlier event's path."""
    source_event_id, learner_id = context.identity
    record = PathProgressRecord(
        job_id=job_id or source_event_id,
        user_id=learner_id,
        competency_target_name=competency,
        status=status,
        progress=percent,
        stage=stage,
        at=at,
    )
    return Emission(PATH_PROGRESS, record, f"{PATH_PROGRESS}:{stage}")
