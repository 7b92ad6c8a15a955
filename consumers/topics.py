"""The topics this version of the service reads and writes (contracts), for whoever creates or names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from consumers.engine.names import DELETIONS_SECONDS, REPARTITION_SUFFIX, SEEN_SECONDS, SEEN_SUFFIX, STATE_SUFFIX
from producers.dead_letter import SUFFIX

LEARNING_GOAL: Final = "learning_goal"
LEARNING_PATH: Final = "learning_path"
PATH_PROGRESS: Final = "path_progress"
EXAM_SUBMITTED: Final = "exam_submitted"
EVALUATION: Final = "evaluation"

SKILLS_GAP_UPDATED: Final = "skills_gap_updated"
APPROVAL_DECISION: Final = "approval_decision"
COMPANY_UPDATED: Final = "company_updated"
DISTRIBUTION: Final = "distribution"
APPROVAL_REQUESTED: Final = "approval_requested"

LEARNING_GOAL_GROUP: Final = "ai-service-learning-goal-consumer"
SKILLS_GAP_GROUP: Final = "ai-service-skills-gap-consumer"
EXAM_GROUP: Final = "ai-service-exam-consumer"

TopicRole = Literal["input", "output", "dead letters", "internal"]


def dead_letter_topic(input_topic: str) -> str:
    """Where an input topic's dead letters go."""
    return f"{input_topic}{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic. `like` names the topic whose partition count it must share."""

    name: str
    role: TopicRole
    key: str
    like: str | None = None
    config: Mapping[str, str] = field(default_factory=dict, hash=False)


_REPARTITION_CONFIG: Final = {"max.message.bytes": str(4 * 2**20)}
"""Room for what forwarding adds, and for records that were compressed when they came."""
_DEAD_LETTER_CONFIG: Final = {"max.message.bytes": str(10 * 2**20)}
"""Room for whatever an upstream was allowed to send: a dead letter is kept byte for byte where that is possible."""
_DELETIONS: Final = {"delete.retention.ms": str(DELETIONS_SECONDS * 1000)}
"""Kafka's own default, said here since `consumers/engine/restore.py` counts on it."""
_STATE_CONFIG: Final = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 2**20), **_DELETIONS}
"""Room for the largest output with what a flow remembers beside it."""
_OUTPUT_CONFIG: Final = {"max.message.bytes": str(4 * 2**20)}
"""Room for what is made of an event of 1 MiB: thousands of skills, the feedback on hundreds of questions."""
_SEEN_CONFIG: Final = {"cleanup.policy": "compact,delete", "retention.ms": str(SEEN_SECONDS * 1000), **_DELETIONS}


def internal_topics(group: str, like: str) -> tuple[TopicSpec, ...]:
    """A group's own topics: with the partition count of its input `like`, written and read by the group alone."""

    def internal(suffix: str, config: Mapping[str, str]) -> TopicSpec:
        return TopicSpec(name=group + suffix, role="internal", key="user id", like=like, config=config)

    return (
        internal(REPARTITION_SUFFIX, _REPARTITION_CONFIG),
        internal(STATE_SUFFIX, _STATE_CONFIG),
        internal(SEEN_SUFFIX, _SEEN_CONFIG),
    )


def _input(name: str, like: str | None = None) -> tuple[TopicSpec, TopicSpec]:
    """A learner's events, and where those go that cannot be handled."""
    return (
        TopicSpec(name=name, role="input", key="user id", like=like),
        TopicSpec(name=dead_letter_topic(name), role="dead letters", key="the input's key", config=_DEAD_LETTER_CONFIG),
    )


TOPICS: Final = (
    *_input(LEARNING_GOAL),
    *internal_topics(LEARNING_GOAL_GROUP, like=LEARNING_GOAL),
    *_input(SKILLS_GAP_UPDATED),
    *_input(APPROVAL_DECISION, like=SKILLS_GAP_UPDATED),
    TopicSpec(name=COMPANY_UPDATED, role="input", key="company id", config={"cleanup.policy": "compact"}),
    *internal_topics(SKILLS_GAP_GROUP, like=SKILLS_GAP_UPDATED),
    *(
        TopicSpec(name=name, role="output", key="user id", config=_OUTPUT_CONFIG)
        for name in (LEARNING_PATH, PATH_PROGRESS, DISTRIBUTION, APPROVAL_REQUESTED, EVALUATION)
    ),
    *_input(EXAM_SUBMITTED),
    *internal_topics(EXAM_GROUP, like=EXAM_SUBMITTED),
)
