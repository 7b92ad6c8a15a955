"""Names of the topics that belong to a consumer group alone, and how long event ids are remembered (contracts)."""

from typing import Final

REPARTITION_SUFFIX: Final = "-repartition"
STATE_SUFFIX: Final = "-state"
SEEN_SUFFIX: Final = "-seen"

SEEN_SECONDS: Final = 7 * 24 * 3600
