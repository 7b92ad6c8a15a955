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

EXAM_INVALID: Final = "Exam submission validation failed"
EXAM_REJECTED: Final = "Exam submission rejected"
EXAM_IGNORED: Final = "Exam submission was evaluated before"
EXAM_INCOMPLETE: Final = "Exam graded in part"
EXAM_EVALUATED: Final = "Exam evaluated"
EXAM_FAILED: Final = "Error grading exam"

BROKER_AWAY: Final = "Kafka does not answer"
BROKER_BACK: Final = "Kafka answers again"
