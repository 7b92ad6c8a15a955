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
"""What may be otherwise a moment later: just after a restart a coordinator may have loaded but half of what it knows
(ADR 019), and a broker gives up the transaction of who was silent for too long."""


async def commit_last(
    task: Task, checkpointer: Checkpointer, positions: Positions, limits: Limits, *, look_first: bool
) -> None:
    """Commit what the task has finished; again and again while Kafka is away, so it needs a deadline around it.

    With `look_first`, and after a commit whose outcome is not known, it has to be found out what is committed, behind
    a fence: only the task's owner may do so, and while the group has not said who that is, it is waited for. Raises
    what says that trying again is of no use, and what is doubtful once it has been said for `reunion_seconds`.
    """
    clock = asyncio.get_running_loop().time
    doubted_until = math.inf
    while True:
        try:
            await _commit(task, checkpointer, positions, look_first=look_first or task.pending is not None)
        except RecordRefusedError:
            raise
        except _DOUBTFUL:
            doubted_until = min(doubted_until, clock() + limits.reunion_seconds)
            if clock() >= doubted_until:
                raise
        except (TransactionFailedError, KafkaError, TimeoutError) as exc:
            if isinstance(exc, KafkaError) and not may_pass(exc):
                raise
            doubted_until = math.inf
        else:
            return
        look_first = True
        await asyncio.sleep(limits.recovery_backoff_seconds)


async def _commit(task: Task, checkpointer: Checkpointer, positions: Positions, *, look_first: bool) -> None:
    if look_first:
        _check_ours(task)
        await checkpointer.fence()
        _check_ours(task)
        if not task.resume(await positions.newest(task)):
            raise FencedError(f"task {task.partition}: another worker has committed since")
    await checkpointer.checkpoint(task)


def _check_ours(task: Task) -> None:
    if task.is_ours is None:
        raise TransactionFailedError(f"task {task.partition}: the group has not said yet whose it is")
    if not task.is_ours:
        raise FencedError(f"task {task.partition} is another worker's")
