"""Who gets which tasks: whoever has them in memory, whatever id the group gives it this time."""

import uuid
from collections.abc import Sequence

from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataResponse_v1
from hypothesis import given
from hypothesis import strategies as st

from clients.assignor import Claims, share_out, steady_assignor

TOPICS = ("one", "two")


def cluster_of(partitions: int) -> ClusterMetadata:
    cluster = ClusterMetadata()
    topics = [(0, topic, False, [(0, number, 1, [1], [1]) for number in range(partitions)]) for topic in TOPICS]
    cluster.update_metadata(MetadataResponse_v1([(1, "here", 9092, "")], 1, topics))
    return cluster


def assigned(cluster: ClusterMetadata, names: Sequence[str]) -> dict[str, set[tuple[str, int]]]:
    """The partitions of each name, in a generation of its own: with new member ids."""
    ids = {uuid.uuid4().hex: name for name in names}
    members = {member: steady_assignor(name, dict).metadata(TOPICS) for member, name in ids.items()}
    found = steady_assignor(names[0], dict).assign(cluster, members)
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


tasks = st.integers(1, 30)
claims = st.dictionaries(st.text("abc", min_size=1), st.dictionaries(st.integers(0, 35), st.integers(0, 3)), min_size=1)


def joined(shares: dict[str, list[int]], generation: int) -> dict[str, Claims]:
    """What the members bring along that were given these shares."""
    return {name: Claims(name, dict.fromkeys(share, generation)) for name, share in shares.items()}


@given(count=tasks, brought=claims)
def test_whatever_they_claim_every_task_goes_to_one_member_and_all_get_as_many(
    count: int, brought: dict[str, dict[int, int]]
) -> None:
    shares = share_out(count, {name: Claims(name, held) for name, held in brought.items()})
    assert sorted(task for share in shares.values() for task in share) == list(range(count))
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1


@given(count=tasks, members=st.integers(2, 6), gone=st.integers(0, 5))
def test_when_a_member_goes_the_others_keep_what_they_have(count: int, members: int, gone: int) -> None:
    first = share_out(count, {f"m{n}": Claims(f"m{n}", {}) for n in range(members)})
    left = {name: share for name, share in first.items() if name != f"m{gone % members}"}
    after = share_out(count, joined(left, 1))
    assert all(set(share) <= set(after[name]) for name, share in left.items())


@given(share=st.integers(1, 6), members=st.integers(2, 6), gone=st.integers(0, 5), read=st.sampled_from([1, -1, -2]))
def test_a_member_that_comes_back_gets_what_it_had(share: int, members: int, gone: int, read: int) -> None:
    """In memory or on disk, as far as numbers are equal: the others have read it meanwhile, and give it up first."""
    first = share_out(share * members, {f"m{n}": Claims(f"m{n}", {}) for n in range(members)})
    lost = f"m{gone % members}"
    alone = share_out(share * members, joined({name: ours for name, ours in first.items() if name != lost}, 1))
    assert share_out(share * members, joined(alone, 2) | joined({lost: first[lost]}, read)) == first


@given(count=st.integers(2, 30))
def test_of_two_that_claim_a_task_it_is_whose_claim_is_newer(count: int) -> None:
    held = range(count // 2)
    shares = share_out(count, {"a": Claims("a", dict.fromkeys(held, 1)), "b": Claims("b", dict.fromkeys(held, 2))})
    assert shares["b"][: count // 2] == list(held)


def test_what_other_programs_bring_along_is_no_claim() -> None:
    for data in (None, b"", b"\xff", b"{}", b"[1]", b'["a", [[1, "x"]]]', b'["a", 7]'):
        assert Claims.decode(data).held == {}
    claims = Claims("name", {3: 7})
    assert Claims.decode(claims.encode()) == claims


@given(share=st.integers(1, 6), members=st.integers(2, 6), fresh=st.integers(0, 5))
def test_what_is_on_a_disk_drives_nothing_out_of_a_memory(share: int, members: int, fresh: int) -> None:
    """Everybody has had everything at some time; one member comes back with nothing at all."""
    count = share * members
    first = share_out(count, {f"m{n}": Claims(f"m{n}", {}) for n in range(members)})
    back = f"m{fresh % members}"
    brought = {
        name: Claims(name, {} if name == back else dict.fromkeys(range(count), -2) | dict.fromkeys(ours, 5))
        for name, ours in first.items()
    }
    assert share_out(count, brought) == first
