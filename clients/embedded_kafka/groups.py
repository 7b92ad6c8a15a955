"""All consumer groups of the broker."""

from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.group import Group


class Groups:
    """Groups come into being when somebody joins or commits."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def get(self, group_id: str) -> Group:
        """The group of that id, an empty one if it is new; raises RefusedError."""
        if not group_id:
            raise RefusedError(Code.INVALID_GROUP_ID)
        return self._groups.setdefault(group_id, Group(group_id))

    def find(self, group_id: str) -> Group | None:
        """The group of that id, if it is there."""
        return self._groups.get(group_id)

    def all(self) -> list[Group]:
        """Every group there is."""
        return list(self._groups.values())

    def expire(self, now: float) -> None:
        """Let time do its work in every group."""
        for group in self._groups.values():
            group.expire(now)

    def touch(self, now: float) -> None:
        """Give all members a whole session again: the broker was away, not they."""
        for group in self._groups.values():
            group.touch(now)
