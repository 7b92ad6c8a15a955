"""Input events, as upstream services send them."""

from typing import Any, Literal

from pydantic import Field

from schemas.envelope import Envelope, InputModel

Level = Literal["beginner", "intermediate", "advanced"]


class LearningGoalData(InputModel):
    """What a learner wants to learn, from which level, and how (seed 004)."""

    learning_goal: str = Field(min_length=1, max_length=2000)
    current_level: Level = "beginner"
    preferences: dict[str, Any] = Field(default_factory=dict)
    available_time: str = Field(default="flexible", max_length=200)


class LearningGoalEvent(Envelope):
    """A learner states a goal; topic `learning_goal` (seed 004)."""

    event_type: Literal["LEARNING_GOAL"] = "LEARNING_GOAL"
    event_data: LearningGoalData
