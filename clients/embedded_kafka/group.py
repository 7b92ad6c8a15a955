"""One consumer group of the classic protocol: who is in it, and how its generations come about."""

from dataclasses import replace
from enum import Enum
from uuid import uuid4

from clients.embedded_kafka.codes import Code, MemberIdRequiredError, RefusedError
from clients.embedded_kafka.members import Joined, JoinRequest, Member


class State(Enum):
    """Where a group stands, by the name that Kafka's tools show.

    EMPTY -> PREPARING (a member joins) -> COMPLETING (all have joined) -> STABLE (the leader has
    assigned the partitions). From COMPLETING and STABLE back to PREPARING when a member comes, goes
    or changes; from PREPARING to EMPTY when nobody is left.
    """

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Group:
    """A group. Times are those of the event loop, in seconds."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.state = State.EMPTY
        self.generation = 0
        self.protocol = ""
        self.protocol_type = ""
        self.members: dict[str, Member] = {}
        self._leader_id = ""
        self._announced: dict[str, float] = {}
        self._deadline = 0.0

    async def join(self, request: JoinRequest, *, now: float) -> Joined:
        """Let a consumer in and return when its generation begins; raises RefusedError."""
        self._check_protocols(request)
        static = self._static_member(request.instance_id)
        if not request.member_id and request.instance_id is None:
            raise self._announce(request, now=now)
        if not request.member_id and static is not None:
            return await self._replace(static, request, now=now)
        if static is not None and static.member_id != request.member_id:
            raise RefusedError(Code.FENCED_INSTANCE_ID)
        member = self.members.get(request.member_id)
        if member is None:
            member = self._add(request, now=now)
        elif self._is_up_to_date(member, request):
            return self._generation_for(member)
        member.request = request
        return await self._rebalance_with(member, now=now)

    async def sync(
        self, member_id: str, instance_id: str | None, *, generation: int, assignments: dict[str, bytes], now: float
    ) -> bytes:
        """Return the member's assignment, once the leader has brought it; raises RefusedError."""
        static = self._static_member(instance_id)
        if static is not None and static.member_id != member_id:
            raise RefusedError(Code.FENCED_INSTANCE_ID)
        member = self._checked(member_id, generation)
        member.last_seen = now
        if self.state is State.PREPARING:
            raise RefusedError(Code.REBALANCE_IN_PROGRESS)
        if self.state is State.COMPLETING and member_id == self._leader_id:
            self.state = State.STABLE
            for each in self.members.values():
                each.assign(assignments.get(each.member_id, b""))
        if self.state is State.STABLE:
            return member.assignment
        answer = member.ask_for_assignment()
        try:
            return await answer
        finally:
            member.stop_waiting(answer)

    def heartbeat(self, member_id: str, *, generation: int, now: float) -> None:
        """A member lives; raises RefusedError, also to call it to a rebalance."""
        self._checked(member_id, generation).last_seen = now
        if self.state is State.PREPARING:
            raise RefusedError(Code.REBALANCE_IN_PROGRESS)

    def leave(self, member_id: str, *, now: float) -> None:
        """Let a member go; raises RefusedError."""
        if self._announced.pop(member_id, None) is not None:
            self._complete_when_all_joined(now=now)
        elif member_id in self.members:
            self._remove(member_id, now=now)
        else:
            raise RefusedError(Code.UNKNOWN_MEMBER_ID)

    def check_commit(self, member_id: str, *, generation: int, now: float) -> None:
        """Raise RefusedError unless a member commits, or somebody outside while there are none."""
        if generation < 0 and self.state is State.EMPTY:
            return
        self._checked(member_id, generation).last_seen = now
        if self.state is State.COMPLETING:
            raise RefusedError(Code.REBALANCE_IN_PROGRESS)

    def expire(self, now: float) -> None:
        """Remove members that have not been heard of, and end a rebalance that takes too long."""
        for member_id, until in list(self._announced.items()):
            if now > until:
                self.leave(member_id, now=now)
        for member in list(self.members.values()):
            if not member.is_waiting and now - member.last_seen > member.request.session_timeout:
                self._remove(member.member_id, now=now)
        if now <= self._deadline:
            return
        if self.state is State.PREPARING:
            self._complete(now=now)
        elif self.state is State.COMPLETING:
            for member_id in [m.member_id for m in self.members.values() if m.syncing is None]:
                self._remove(member_id, now=now)

    def touch(self, now: float) -> None:
        """Give every member a whole session again: the broker was away, not they."""
        for member in self.members.values():
            member.last_seen = now

    def _check_protocols(self, request: JoinRequest) -> None:
        others = [m for m in self.members.values() if m.member_id != request.member_id]
        common = {name for name, _ in request.protocols}.intersection(
            *({name for name, _ in m.request.protocols} for m in others)
        )
        if not common or (others and request.protocol_type != self.protocol_type):
            raise RefusedError(Code.INCONSISTENT_GROUP_PROTOCOL)

    def _static_member(self, instance_id: str | None) -> Member | None:
        if instance_id is None:
            return None
        return next((m for m in self.members.values() if m.request.instance_id == instance_id), None)

    def _announce(self, request: JoinRequest, *, now: float) -> MemberIdRequiredError:
        member_id = f"{request.client_id}-{uuid4()}"
        self._announced[member_id] = now + request.session_timeout
        return MemberIdRequiredError(member_id)

    def _add(self, request: JoinRequest, *, now: float) -> Member:
        if request.member_id and self._announced.pop(request.member_id, None) is None:
            raise RefusedError(Code.UNKNOWN_MEMBER_ID)
        member_id = request.member_id or f"{request.instance_id}-{uuid4()}"
        member = self.members[member_id] = Member(member_id=member_id, request=request, last_seen=now)
        self.protocol_type = request.protocol_type
        return member

    async def _replace(self, old: Member, request: JoinRequest, *, now: float) -> Joined:
        """Let a static member that came back as a new process take its old place, at once when stable."""
        leader_before = self._leader_id
        old.refuse(Code.FENCED_INSTANCE_ID)
        del self.members[old.member_id]
        member = self._add(request, now=now)
        member.assignment = old.assignment
        if leader_before == old.member_id:
            self._leader_id = member.member_id
        if self.state is State.STABLE and request.protocols == old.request.protocols:
            # Under the old leader's name: a leader that came back must not assign anew, nobody would hear.
            return replace(self._generation_for(member), leader_id=leader_before, members=[])
        return await self._rebalance_with(member, now=now)

    def _is_up_to_date(self, member: Member, request: JoinRequest) -> bool:
        """Whether a member that joins again has only missed the answer."""
        if request.protocols != member.request.protocols:
            return False
        is_follower = member.member_id != self._leader_id
        return self.state is State.COMPLETING or (self.state is State.STABLE and is_follower)

    async def _rebalance_with(self, member: Member, *, now: float) -> Joined:
        member.last_seen = now
        answer = member.ask_to_join()
        self._prepare_rebalance(now=now)
        try:
            return await answer
        finally:
            member.stop_waiting(answer)

    def _prepare_rebalance(self, *, now: float) -> None:
        if self.state is not State.PREPARING:
            for member in self.members.values():
                member.refuse_sync(Code.REBALANCE_IN_PROGRESS)
            self.state = State.PREPARING
            self._deadline = now + self._rebalance_timeout()
        self._complete_when_all_joined(now=now)

    def _complete_when_all_joined(self, *, now: float) -> None:
        everybody_is_here = not self._announced and all(m.joining is not None for m in self.members.values())
        if self.state is State.PREPARING and everybody_is_here:
            self._complete(now=now)

    def _complete(self, *, now: float) -> None:
        """Begin the next generation with those who joined; an absent static member keeps its place."""
        for member in list(self.members.values()):
            if member.joining is None and member.request.instance_id is None:
                del self.members[member.member_id]
        self._deadline = now + self._rebalance_timeout()
        joined = [member for member in self.members.values() if member.joining is not None]
        if self.members and not joined:
            return  # only absent static members: wait on
        self.generation += 1
        if not joined:
            self.state, self.protocol, self._leader_id = State.EMPTY, "", ""
            return
        self.state = State.COMPLETING
        if self._leader_id not in {member.member_id for member in joined}:
            self._leader_id = joined[0].member_id
        self.protocol = self._common_protocol()
        for member in joined:
            member.last_seen = now
            member.begin(self._generation_for(member))

    def _common_protocol(self) -> str:
        """The leader's first choice among what all members can do."""
        common = set.intersection(*({name for name, _ in m.request.protocols} for m in self.members.values()))
        choices = self.members[self._leader_id].request.protocols
        return next(name for name, _ in choices if name in common)

    def _rebalance_timeout(self) -> float:
        return max((member.request.rebalance_timeout for member in self.members.values()), default=0.0)

    def _generation_for(self, member: Member) -> Joined:
        is_leader = member.member_id == self._leader_id
        members = [(m.member_id, m.request.instance_id, m.metadata(self.protocol)) for m in self.members.values()]
        return Joined(
            generation=self.generation,
            protocol=self.protocol,
            leader_id=self._leader_id,
            member_id=member.member_id,
            members=members if is_leader else [],
        )

    def _remove(self, member_id: str, *, now: float) -> None:
        self.members.pop(member_id).refuse(Code.UNKNOWN_MEMBER_ID)
        self._prepare_rebalance(now=now)

    def _checked(self, member_id: str, generation: int) -> Member:
        member = self.members.get(member_id)
        if member is None:
            raise RefusedError(Code.UNKNOWN_MEMBER_ID)
        if generation != self.generation:
            raise RefusedError(Code.ILLEGAL_GENERATION)
        return member
