"""A member of a consumer group: what it asked for, and what it is waiting for."""

import asyncio
from dataclasses import dataclass, field

from clients.embedded_kafka.codes import Code, RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """A consumer that wants to be in a group. Timeouts in seconds."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout: float
    rebalance_timeout: float
    protocol_type: str
    protocols: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The generation that a member is in; only its leader learns who else is."""

    generation: int
    protocol: str
    leader_id: str
    member_id: str
    members: list[tuple[str, str | None, bytes]]


@dataclass(slots=True, kw_only=True)
class Member:
    """A consumer in a group."""

    member_id: str
    request: JoinRequest
    last_seen: float
    assignment: bytes = b""
    joining: asyncio.Future[Joined] | None = field(default=None, init=False)
    syncing: asyncio.Future[bytes] | None = field(default=None, init=False)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer: its connection shows that it lives."""
        return self.joining is not None or self.syncing is not None

    def metadata(self, protocol: str) -> bytes:
        """What it says about itself under a protocol."""
        return dict(self.request.protocols).get(protocol, b"")

    def ask_to_join(self) -> asyncio.Future[Joined]:
        """Return the answer to come when the group's next generation begins; an older question is void."""
        self._refuse(self.joining, Code.REBALANCE_IN_PROGRESS)
        self.joining = asyncio.get_running_loop().create_future()
        return self.joining

    def ask_for_assignment(self) -> asyncio.Future[bytes]:
        """Return the answer to come when the leader has assigned partitions; an older question is void."""
        self._refuse(self.syncing, Code.REBALANCE_IN_PROGRESS)
        self.syncing = asyncio.get_running_loop().create_future()
        return self.syncing

    def stop_waiting(self, answer: asyncio.Future[Joined] | asyncio.Future[bytes]) -> None:
        """Nobody waits for this answer any more: it was given, or the connection is gone."""
        if self.joining is answer:
            self.joining = None
        if self.syncing is answer:
            self.syncing = None

    def begin(self, joined: Joined) -> None:
        """Answer a member that waits to join."""
        if self.joining is not None and not self.joining.done():
            self.joining.set_result(joined)
        self.joining = None

    def assign(self, assignment: bytes) -> None:
        """Give it its partitions, and answer it when it waits for them."""
        self.assignment = assignment
        if self.syncing is not None and not self.syncing.done():
            self.syncing.set_result(assignment)
        self.syncing = None

    def refuse_sync(self, code: Code) -> None:
        """Answer a member that waits for its partitions with an error."""
        self._refuse(self.syncing, code)
        self.syncing = None

    def refuse(self, code: Code) -> None:
        """Answer whatever it waits for with an error."""
        self._refuse(self.joining, code)
        self.joining = None
        self.refuse_sync(code)

    @staticmethod
    def _refuse(answer: asyncio.Future[Joined] | asyncio.Future[bytes] | None, code: Code) -> None:
        if answer is not None and not answer.done():
            answer.set_exception(RefusedError(code))
