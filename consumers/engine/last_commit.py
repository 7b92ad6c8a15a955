"""The commit of a task that stops for good."""

import asyncio
import math

from aiokafka.errors import KafkaError, UnknownMemberIdError

from clients.cluster import may_pass
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.limits import Limits
from consumers.engine.positions import Positions
from consumers.engine.task import Task
from schemas.errors import RecordRefusedError, TopicMissingError, TransactionFailedError


async def commit_last(
    task: Task, checkpointer: Checkpointer, positions: Positions, limits: Limits, *, look_first: bool, may_fence: bool
) -> None:
    """Commit what the task has finished; again and again while Kafka is away, so it needs a deadline around it.

    With `look_first`, and after a commit whose outcome is not known, it has to be found out what is committed, behind
    a fence: only the task's owner may do so (`may_fence`). Raises what says that trying again is of no use. That the
    group does not know us is doubted for `reunion_seconds`: so says one that its coordinator has half loaded (ADR 019).
    """
    clock = asyncio.get_running_loop().time
    doubted_until = math.inf
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
            doubted_until = min(doubted_until, clock() + limits.reunion_seconds)
            if clock() >= doubted_until:
                raise
        except (TransactionFailedError, KafkaError) as exc:
            if isinstance(exc, TopicMissingError | RecordRefusedError) or (
                isinstance(exc, KafkaError) and not may_pass(exc)
            ):
                raise
        else:
            return
        look_first = True
        await asyncio.sleep(limits.recovery_backoff_seconds)
