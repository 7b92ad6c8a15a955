"""Who gets which partitions: ranges, as by Kafka's range assignor, to members in an order that outlives them."""

from collections.abc import Iterable, Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


def steady_assignor(name: str) -> type[RangePartitionAssignor]:
    """The assignor of a member that is called `name` in all its memberships.

    The range assignor sorts members by the ids that the group gives them: at random. Several members that were all
    expelled, as by an outage of the broker, would come back to each other's partitions, and what they have in memory
    would be lost. Members without such a name come first, as ever by their ids.
    """

    class SteadyAssignor(RangePartitionAssignor):  # type: ignore[misc] # aiokafka has no types
        @classmethod
        def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
            return ConsumerProtocolMemberMetadata(cls.version, list(topics), name.encode())

        @classmethod
        def assign(
            cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
        ) -> dict[str, ConsumerProtocolMemberAssignment]:
            names = {member: ((metadata.user_data or b"").hex(), member) for member, metadata in members.items()}
            assigned = super().assign(cluster, {names[member]: metadata for member, metadata in members.items()})
            return {member: assigned[names[member]] for member in members}

    return SteadyAssignor
