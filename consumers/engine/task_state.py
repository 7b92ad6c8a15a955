"""The life of a task, from its assignment to its end. Pure."""

from enum import Enum, auto


class TaskState(Enum):
    """Where a task stands; `may_follow` says what comes next."""

    OPENING = auto()
    """Fencing the last owner and reading what it committed; nothing is polled or handled."""
    ACTIVE = auto()
    """Polled, handled, checkpointed."""
    LEAVING = auto()
    """Revoked or shutting down: what is in flight may end, no event and no step begins; one last checkpoint follows."""
    SUSPENDED = auto()
    """Not ours for now; if it comes back, what is in memory goes on."""
    CLOSED = auto()
    """Another worker's; everything in memory is dropped."""


_FOLLOWERS = {
    TaskState.OPENING: {TaskState.ACTIVE, TaskState.SUSPENDED, TaskState.CLOSED},
    TaskState.ACTIVE: {TaskState.OPENING, TaskState.LEAVING, TaskState.SUSPENDED},
    TaskState.LEAVING: {TaskState.SUSPENDED},
    TaskState.SUSPENDED: {TaskState.OPENING, TaskState.CLOSED},
    TaskState.CLOSED: set[TaskState](),
}


def may_follow(state: TaskState, following: TaskState) -> bool:
    """Whether a task may go from one state to the other."""
    return following in _FOLLOWERS[state]
