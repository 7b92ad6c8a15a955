"""The topics this version of the service reads and writes (contracts), for whoever creates or names them."""

from dataclasses import dataclass
from typing import Final, Literal

from producers.dead_letter import SUFFIX

LEARNING_GOAL: Final = "learning_goal"
LEARNING_PATH: Final = "learning_path"
PATH_PROGRESS: Final = "path_progress"

LEARNING_GOAL_GROUP: Final = "ai-service-learning-goal-consumer"

TopicRole = Literal["input", "output", "dead letters", "internal"]


def dead_letter_topic(input_topic: str) -> str:
    """Where an input topic's dead letters go."""
    return f"{input_topic}{SUFFIX}"


def repartition_topic(group: str) -> str:
    """Where a group forwards records whose key is not the learner's id."""
    return f"{group}-repartition"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic. `like` names the topic whose partition count it must share."""

    name: str
    role: TopicRole
    key: str
    like: str | None = None


TOPICS: Final = (
    TopicSpec(name=LEARNING_GOAL, role="input", key="user id"),
    TopicSpec(name=LEARNING_PATH, role="output", key="user id"),
    TopicSpec(name=PATH_PROGRESS, role="output", key="user id"),
    TopicSpec(name=dead_letter_topic(LEARNING_GOAL), role="dead letters", key="the input's key"),
    TopicSpec(name=repartition_topic(LEARNING_GOAL_GROUP), role="internal", key="user id", like=LEARNING_GOAL),
)
