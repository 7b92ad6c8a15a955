"""The names of all log events, so that whoever searches or alerts on logs finds them in one place.

The first block is seed 004's; dashboards that know those names go on working.
"""

from typing import Final

LEARNING_GOAL_INITIALIZED: Final = "LearningGoalConsumer initialized with LearningPathAgent"
LEARNING_GOAL_VALIDATED: Final = "Learning goal event validated successfully"
LEARNING_GOAL_PROCESSING: Final = "Processing learning goal"
LEARNING_PATH_PUBLISHED: Final = "Successfully generated and published learning path"
LEARNING_GOAL_INVALID: Final = "Learning goal event validation failed"
LEARNING_GOAL_FAILED: Final = "Error processing learning goal"

EVENT_FINISHED: Final = "Event finished"
"""The one line per event: topic, partition, offset, event_id, outcome, milliseconds."""
EVENT_RETRIED: Final = "Event will be tried again"
EVENT_DEAD_LETTERED: Final = "Event goes to the dead-letter topic"

WORKER_STARTED: Final = "Worker started"
WORKER_STOPPING: Final = "Worker is stopping"
WORKER_STOPPED: Final = "Worker stopped"

TASK_ACTIVE: Final = "Task is active"
TASK_RELEASED: Final = "Task released"
TASK_FENCED: Final = "Task has another owner"
TASK_FAILED: Final = "Task failed and will be opened again"
CHECKPOINT_FAILED: Final = "Checkpoint failed"

BROKER_AWAY: Final = "Kafka does not answer"
BROKER_BACK: Final = "Kafka answers again"

DEGRADED: Final = "Going on without a service"
