"""The commit of a task that stops for good."""

import asyncio

from aiokafka.errors import KafkaError, UnknownMemberIdError

from clients.cluster import may_pass
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.positions import Positions
from consumers.engine.task import Task
from schemas.errors import RecordRefusedError, TopicMissingError, TransactionFailedError


async def commit_last(
    task: Task,
    checkpointer: Checkpointer,
    positions: Positions,
    *,
    look_first: bool,
    may_fence: bool,
    pause_seconds: float,
    doubt_seconds: float,
) -> None:
    """Commit what the task has finished; again and again while Kafka is away, so it needs a deadline around it.

    With `look_first`, and after a commit whose outcome is not known, it has to be found out what is committed, behind
    a fence: only the task's owner may do so (`may_fence`). Raises what says that trying again is of no use. That the
    group does not know us is doubted for `doubt_seconds`: so says one that its coordinator has half loaded (ADR 019).
    """
    clock = asyncio.get_running_loop().time
    refused_at: float | None = None
    while True:
        try:
            if look_first or task.pending is not None:
                if not may_fence:
                    return
                await checkpointer.fence()
                if not task.resume(await positions.newest(task)):
                    return
            await checkpointer.checkpoint(task)
        except UnknownMemberIdError:
            refused_at = clock() if refused_at is None else refused_at
            if clock() >= refused_at + doubt_seconds:
                raise
        except (TransactionFailedError, KafkaError) as exc:
            if isinstance(exc, TopicMissingError | RecordRefusedError) or (
                isinstance(exc, KafkaError) and not may_pass(exc)
            ):
                raise
        else:
            return
        look_first = True
        await asyncio.sleep(pause_seconds)
