"""Names of the topics that belong to a consumer group alone, and how long things are kept in them."""

from typing import Final

REPARTITION_SUFFIX: Final = "-repartition"
STATE_SUFFIX: Final = "-state"
SEEN_SUFFIX: Final = "-seen"

SEEN_SECONDS: Final = 7 * 24 * 3600
DELETIONS_SECONDS: Final = 24 * 3600
"""How long Kafka keeps a deletion in a changelog (`delete.retention.ms`): who comes later may miss it."""
