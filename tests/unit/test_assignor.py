"""Who gets which partitions: whoever comes back under its name, whatever id the group gives it this time."""

import uuid
from collections.abc import Sequence

from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataResponse_v1
from hypothesis import given
from hypothesis import strategies as st

from clients.assignor import steady_assignor

TOPICS = ("one", "two")


def cluster_of(partitions: int) -> ClusterMetadata:
    cluster = ClusterMetadata()
    topics = [(0, topic, False, [(0, number, 1, [1], [1]) for number in range(partitions)]) for topic in TOPICS]
    cluster.update_metadata(MetadataResponse_v1([(1, "here", 9092, "")], 1, topics))
    return cluster


def assigned(cluster: ClusterMetadata, names: Sequence[str]) -> dict[str, set[tuple[str, int]]]:
    """The partitions of each name, in a generation of its own: with new member ids."""
    ids = {uuid.uuid4().hex: name for name in names}
    members = {member: steady_assignor(name).metadata(TOPICS) for member, name in ids.items()}
    found = steady_assignor(names[0]).assign(cluster, members)
    return {
        ids[member]: {(topic, number) for topic, numbers in assignment.assignment for number in numbers}
        for member, assignment in found.items()
    }


@given(partitions=st.integers(1, 20), names=st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True))
def test_the_same_members_get_the_same_partitions_in_every_generation(partitions: int, names: list[str]) -> None:
    cluster = cluster_of(partitions)
    first, second = assigned(cluster, names), assigned(cluster, list(reversed(names)))
    assert first == second
    given_away = sorted(partition for ours in first.values() for partition in ours)
    assert given_away == sorted((topic, number) for topic in TOPICS for number in range(partitions))
    assert all(
        {n for topic, n in ours if topic == "one"} == {n for t, n in ours if t == "two"} for ours in first.values()
    )
