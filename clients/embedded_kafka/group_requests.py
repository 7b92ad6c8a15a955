"""Everything that members of groups, and the tools that look at groups, ask for."""

from collections import defaultdict

from clients.embedded_kafka.codes import ApiKey, Code, MemberIdRequiredError, RefusedError
from clients.embedded_kafka.group import Group
from clients.embedded_kafka.members import Joined, JoinRequest
from clients.embedded_kafka.offsets import NOTHING_COMMITTED, CommittedOffset, Partition
from clients.embedded_kafka.parts import NODE_ID, Handler, Parts, now
from clients.embedded_kafka.wire import Fields, Request


async def find_coordinator(parts: Parts, _request: Request) -> Fields:
    """There is one broker: it coordinates every group and every transaction."""
    return {"coordinator_id": NODE_ID, "host": parts.host, "port": parts.port}


async def join_group(parts: Parts, request: Request) -> Fields:
    """Wait until the member's generation begins."""
    fields = request.fields
    candidate = JoinRequest(
        member_id=fields["member_id"],
        instance_id=fields["group_instance_id"],
        client_id=request.client_id,
        client_host=request.client_host,
        session_timeout=fields["session_timeout"] / 1000,
        rebalance_timeout=fields["rebalance_timeout"] / 1000,
        protocol_type=fields["protocol_type"],
        protocols=[(each["protocol_name"], each["protocol_metadata"]) for each in fields["group_protocols"]],
    )
    try:
        joined = await parts.groups.get(fields["group"]).join(candidate, now=now())
    except MemberIdRequiredError as required:
        return _not_joined(required.code, required.member_id)
    except RefusedError as refused:
        return _not_joined(refused.code, candidate.member_id)
    return _joined(joined)


def _joined(joined: Joined) -> Fields:
    return {
        "generation_id": joined.generation,
        "group_protocol": joined.protocol,
        "leader_id": joined.leader_id,
        "member_id": joined.member_id,
        "members": [
            {"member_id": member_id, "group_instance_id": instance_id, "member_metadata": metadata}
            for member_id, instance_id, metadata in joined.members
        ],
    }


def _not_joined(code: Code, member_id: str) -> Fields:
    nothing = Joined(generation=-1, protocol="", leader_id="", member_id=member_id, members=[])
    return _joined(nothing) | {"error_code": code}


async def sync_group(parts: Parts, request: Request) -> Fields:
    """Wait until the leader has assigned the partitions."""
    fields = request.fields
    assignments = {each["member_id"]: each["member_metadata"] for each in fields["group_assignment"]}
    try:
        assignment = await parts.groups.get(fields["group"]).sync(
            fields["member_id"],
            fields["group_instance_id"],
            generation=fields["generation_id"],
            assignments=assignments,
            now=now(),
        )
    except RefusedError as refused:
        return {"error_code": refused.code, "member_assignment": b""}
    return {"member_assignment": assignment}


async def heartbeat(parts: Parts, request: Request) -> Fields:
    """Note that a member lives, and call it to a rebalance when there is one."""
    fields = request.fields
    try:
        group = parts.groups.get(fields["group"])
        group.heartbeat(fields["member_id"], generation=fields["generation_id"], now=now())
    except RefusedError as refused:
        return {"error_code": refused.code}
    return {}


async def leave_group(parts: Parts, request: Request) -> Fields:
    """Let a member go."""
    try:
        parts.groups.get(request.fields["group"]).leave(request.fields["member_id"], now=now())
    except RefusedError as refused:
        return {"error_code": refused.code}
    return {}


async def commit_offsets(parts: Parts, request: Request) -> Fields:
    """Store a group's offsets, each with its own verdict."""
    fields = request.fields
    group_id, code = fields["consumer_group"], Code.NONE
    try:
        parts.groups.get(group_id).check_commit(
            fields["consumer_id"], generation=fields["consumer_group_generation_id"], now=now()
        )
    except RefusedError as refused:
        code = refused.code
    accepted, topics = accept_offsets(parts, fields["topics"], code)
    parts.offsets.commit(group_id, accepted)
    return {"topics": topics}


def accept_offsets(
    parts: Parts, topics: list[Fields], code: Code
) -> tuple[dict[Partition, CommittedOffset], list[Fields]]:
    """Return the offsets that can be stored, none when `code` is an error, and each partition's verdict."""
    accepted: dict[Partition, CommittedOffset] = {}
    verdicts: list[Fields] = []
    for topic in topics:
        name, partitions = topic["topic"], []
        for each in topic["partitions"]:
            verdict = code
            try:
                parts.topics.partition(name, each["partition"])
                offset = CommittedOffset(each["offset"], each["metadata"] or "")
            except RefusedError as refused:
                verdict = verdict or refused.code
            if not verdict:
                accepted[name, each["partition"]] = offset
            partitions.append({"partition": each["partition"], "error_code": verdict})
        verdicts.append({"topic": name, "partitions": partitions, "partition_errors": partitions})
    return accepted, verdicts


async def fetch_offsets(parts: Parts, request: Request) -> Fields:
    """Return a group's offsets with their metadata: of the partitions named, or all."""
    stored = parts.offsets.of(request.fields["consumer_group"])
    wanted = request.fields["topics"]
    if wanted is None:
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for topic, number in stored:
            by_topic[topic].append(number)
        wanted = [{"topic": topic, "partitions": numbers} for topic, numbers in by_topic.items()]
    topics = []
    for topic in wanted:
        partitions = []
        for number in topic["partitions"]:
            committed = stored.get((topic["topic"], number), NOTHING_COMMITTED)
            partitions.append({"partition": number, "offset": committed.next_offset, "metadata": committed.metadata})
        topics.append({"topic": topic["topic"], "partitions": partitions})
    return {"topics": topics}


async def list_groups(parts: Parts, _request: Request) -> Fields:
    """Return all groups: those with members, and those that only committed."""
    types = {group.group_id: group.protocol_type for group in parts.groups.all()}
    for group_id in parts.offsets.groups():
        types.setdefault(group_id, "")
    return {"groups": [{"group": group_id, "protocol_type": kind} for group_id, kind in types.items()]}


async def describe_groups(parts: Parts, request: Request) -> Fields:
    """Return who is in a group and what each member has."""
    return {"groups": [_described(group_id, parts.groups.find(group_id)) for group_id in request.fields["groups"]]}


def _described(group_id: str, group: Group | None) -> Fields:
    if group is None:
        return {"group": group_id, "state": "Dead", "protocol_type": "", "protocol": "", "members": []}
    members = [
        {
            "member_id": member.member_id,
            "client_id": member.request.client_id,
            "client_host": f"/{member.request.client_host}",
            "member_metadata": member.metadata(group.protocol),
            "member_assignment": member.assignment,
        }
        for member in group.members.values()
    ]
    return {
        "group": group_id,
        "state": group.state.value,
        "protocol_type": group.protocol_type,
        "protocol": group.protocol,
        "members": members,
    }


HANDLERS: dict[ApiKey, Handler] = {
    ApiKey.FIND_COORDINATOR: find_coordinator,
    ApiKey.JOIN_GROUP: join_group,
    ApiKey.SYNC_GROUP: sync_group,
    ApiKey.HEARTBEAT: heartbeat,
    ApiKey.LEAVE_GROUP: leave_group,
    ApiKey.OFFSET_COMMIT: commit_offsets,
    ApiKey.OFFSET_FETCH: fetch_offsets,
    ApiKey.LIST_GROUPS: list_groups,
    ApiKey.DESCRIBE_GROUPS: describe_groups,
}
