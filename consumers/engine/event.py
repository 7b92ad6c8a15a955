"""What the engine knows of an event."""

from typing import Protocol


class Event(Protocol):
    """What every event has: perhaps an id, and whose it is."""

    @property
    def event_id(self) -> str | None:
        """The sender's id of the event."""

    @property
    def user_id(self) -> str:
        """The learner, who is also the key."""
