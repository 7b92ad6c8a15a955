"""The commit of a task that stops for good."""

import asyncio
import math

from aiokafka.errors import IllegalGenerationError, KafkaError, UnknownMemberIdError

from clients.cluster import may_pass
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.limits import Limits
from consumers.engine.positions import Positions
from consumers.engine.task import Task
from schemas.errors import FencedError, RecordRefusedError, TopicMissingError, TransactionFailedError

_DOUBTFUL = (FencedError, UnknownMemberIdError, IllegalGenerationError, TopicMissingError)
"""What is also said by a coordinator that has loaded but half of what it knows, just after a restart (ADR 019)."""


async def commit_last(
    task: Task, checkpointer: Checkpointer, positions: Positions, limits: Limits, *, look_first: bool
) -> None:
    """Commit what the task has finished; again and again while Kafka is away, so it needs a deadline around it.

    With `look_first`, and after a commit whose outcome is not known, it has to be found out what is committed, behind
    a fence: only the task's owner may do so. Raises what says that trying again is of no use, `FencedError` when
    another worker has the task. What is doubtful has to stay so for `reunion_seconds`.
    """
    clock = asyncio.get_running_loop().time
    doubted_until = math.inf
    while True:
        try:
            if await _commit(task, checkpointer, positions, look_first=look_first or task.pending is not None):
                return
        except RecordRefusedError:
            raise
        except _DOUBTFUL:
            doubted_until = min(doubted_until, clock() + limits.reunion_seconds)
            if clock() >= doubted_until:
                raise
        except KafkaError as exc:
            if not may_pass(exc):
                raise
        except TransactionFailedError:
            pass
        else:
            raise FencedError(f"task {task.partition}: another worker has committed since")
        look_first = True
        await asyncio.sleep(limits.recovery_backoff_seconds)


async def _commit(task: Task, checkpointer: Checkpointer, positions: Positions, *, look_first: bool) -> bool:
    """False when another worker has committed since."""
    if look_first:
        if not task.is_ours:
            raise FencedError(f"task {task.partition} may be another worker's")
        await checkpointer.fence()
        if not task.resume(await positions.newest(task)):
            return False
    await checkpointer.checkpoint(task)
    return True
