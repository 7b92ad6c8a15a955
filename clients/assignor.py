"""Who gets which tasks: whoever has them in memory, as far as the others get as many; a task is a partition number."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Self

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

_NONE = -(2**31)
"""Older than any claim."""


class Claims(NamedTuple):
    """What a member brings along when it joins."""

    name: str
    """Outlives its memberships: the group gives it another id in each."""
    held: Mapping[int, int]
    """The tasks that it has, each with the group's generation in which it read it into memory.

    Less than 0 for what is not there yet, but partly read, or on its disk.
    """

    def encode(self) -> bytes:
        """As a member's user data."""
        return json.dumps([self.name, sorted(self.held.items())]).encode()

    @classmethod
    def decode(cls, user_data: bytes | None) -> Self:
        """Whatever is none of ours is a name that holds nothing."""
        with suppress(ValueError, TypeError, OverflowError, RecursionError):
            name, held = json.loads(user_data or b"")
            return cls(str(name), {int(task): int(generation) for task, generation in held})
        return cls((user_data or b"").hex(), {})


def share_out(count: int, members: Mapping[str, Claims]) -> dict[str, list[int]]:
    """Tasks 0 to `count` for members by their ids, at least one: in equal numbers, which differ by one at most.

    A task stays with the member that read it last. One that has too many gives up first what others have, too, as those
    have who come back. Of tasks that nobody has they get ranges, in the order of their names.
    """
    order = sorted(members, key=lambda member: (members[member].name, member))
    claimants = {
        task: sorted((m for m in order if task in members[m].held), key=lambda m: -members[m].held[task])
        for task in range(count)
    }
    read_by = {task: [m for m in claiming if members[m].held[task] >= 0] for task, claiming in claimants.items()}
    shares: dict[str, list[int]] = {member: [] for member in order}
    for task, readers in read_by.items():
        if readers:
            shares[readers[0]].append(task)
    least, more = divmod(count, len(order))
    by_size = sorted(order, key=lambda member: -len(shares[member]))
    room = {member: least + (place < more) for place, member in enumerate(by_size)}
    for member in order:
        shares[member].sort(key=lambda task: (len(read_by[task]) > 1, len(claimants[task]) > 1, task))
        del shares[member][room[member] :]
    given = {task for share in shares.values() for task in share}
    newest = {task: members[claiming[0]].held[task] if claiming else _NONE for task, claiming in claimants.items()}
    for task in sorted(claimants.keys() - given, key=lambda task: (-newest[task], task)):
        taker = next(m for m in (*claimants[task], *order) if len(shares[m]) < room[m])
        shares[taker].append(task)
    return {member: sorted(share) for member, share in shares.items()}


def steady_assignor(name: str, held: Callable[[], Mapping[int, int]]) -> type[RangePartitionAssignor]:
    """The assignor of a member of that name; `held` is asked at each joining what it has, as `Claims.held`.

    aiokafka's range assignor sorts members by ids, which are random: members that an outage has expelled would come
    back to each other's tasks, and all that they have in memory would be lost. It also moves tasks between members that
    stay whenever another one goes. The group's protocol is still called "range".
    """

    class SteadyAssignor(RangePartitionAssignor):  # type: ignore[misc] # aiokafka has no types
        @classmethod
        def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
            return ConsumerProtocolMemberMetadata(cls.version, list(topics), Claims(name, held()).encode())

        @classmethod
        def assign(
            cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
        ) -> dict[str, ConsumerProtocolMemberAssignment]:
            topics, *others = {frozenset(metadata.subscription) for metadata in members.values()}
            if others:  # of another version, which reads other topics
                assigned: dict[str, ConsumerProtocolMemberAssignment] = super().assign(cluster, members)
                return assigned
            counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in sorted(topics)}
            claims = {member: Claims.decode(metadata.user_data) for member, metadata in members.items()}
            return {
                member: ConsumerProtocolMemberAssignment(
                    cls.version, [(topic, [task for task in share if task < n]) for topic, n in counts.items()], b""
                )
                for member, share in share_out(max(counts.values(), default=0), claims).items()
            }

    return SteadyAssignor
