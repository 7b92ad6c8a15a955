"""Names of log events that others search for; those of the engine stand in `engine/report.py`.

The first block is seed 004's: dashboards that know those names go on working.
"""

from typing import Final

LEARNING_GOAL_INITIALIZED: Final = "LearningGoalConsumer initialized with LearningPathAgent"
LEARNING_GOAL_VALIDATED: Final = "Learning goal event validated successfully"
LEARNING_GOAL_PROCESSING: Final = "Processing learning goal"
LEARNING_PATH_PUBLISHED: Final = "Successfully generated and published learning path"
LEARNING_GOAL_INVALID: Final = "Learning goal event validation failed"
LEARNING_GOAL_FAILED: Final = "Error processing learning goal"

BROKER_AWAY: Final = "Kafka does not answer"
BROKER_BACK: Final = "Kafka answers again"
