"""What a client asks about the broker and its topics."""

from collections.abc import Mapping

from clients.embedded_kafka.codes import ApiKey, Code, RefusedError
from clients.embedded_kafka.offsets import MAX_METADATA_CHARS
from clients.embedded_kafka.parts import NODE_ID, Handler, Parts
from clients.embedded_kafka.topics import DEFAULT_CONFIG
from clients.embedded_kafka.wire import Fields, Request, supported_versions

CLUSTER_ID = "embedded-in-memory-only"
DEFAULT = -1  # as many partitions, or replicas, as the broker thinks fit
TOPIC_RESOURCE, BROKER_RESOURCE = 2, 4
SET_ON_TOPIC, SET_ON_BROKER, SET_BY_DEFAULT = 1, 4, 5
BROKER_CONFIG: Mapping[str, str] = {
    "message.max.bytes": DEFAULT_CONFIG["max.message.bytes"],
    "offset.metadata.max.bytes": str(MAX_METADATA_CHARS),
}


async def api_versions(_parts: Parts, _request: Request) -> Fields:
    """Return what this broker can do."""
    return {"api_versions": list(supported_versions())}


async def metadata(parts: Parts, request: Request) -> Fields:
    """Return where the topics are: here."""
    names = request.fields["topics"]
    if names is None or (not names and request.version == 0):
        names = parts.topics.names()
    may_create = request.fields.get("allow_auto_topic_creation", True)
    return {
        "brokers": [{"node_id": NODE_ID, "host": parts.host, "port": parts.port}],
        "cluster_id": CLUSTER_ID,
        "controller_id": NODE_ID,
        "topics": [_topic(parts, name, may_create=may_create) for name in names],
    }


def _topic(parts: Parts, name: str, *, may_create: bool) -> Fields:
    try:
        topic = parts.topics.get_or_create(name) if may_create else parts.topics.get(name)
    except RefusedError as refused:
        return {"topic": name, "error_code": refused.code, "partitions": []}
    partitions = [
        {"partition": number, "leader": NODE_ID, "replicas": [NODE_ID], "isr": [NODE_ID]}
        for number in range(len(topic.partitions))
    ]
    return {"topic": name, "partitions": partitions}


async def create_topics(parts: Parts, request: Request) -> Fields:
    """Create topics, each with its own verdict."""
    validate_only = request.fields["validate_only"]
    wanted = request.fields["create_topic_requests"]
    return {"topic_errors": [_create(parts, each, validate_only=validate_only) for each in wanted]}


def _create(parts: Parts, wanted: Fields, *, validate_only: bool) -> Fields:
    code = Code.NONE
    partitions = len(wanted["replica_assignment"]) or wanted["num_partitions"]
    if not wanted["replica_assignment"] and wanted["replication_factor"] not in {DEFAULT, 1}:
        return {"topic": wanted["topic"], "error_code": Code.INVALID_REPLICATION_FACTOR}
    try:
        parts.topics.create(
            wanted["topic"],
            partitions=None if partitions == DEFAULT else partitions,
            config={each["config_key"]: each["config_value"] for each in wanted["configs"]},
            validate_only=validate_only,
        )
    except RefusedError as refused:
        code = refused.code
    return {"topic": wanted["topic"], "error_code": code}


async def delete_topics(parts: Parts, request: Request) -> Fields:
    """Delete topics, each with its own verdict."""
    verdicts = []
    for name in request.fields["topics"]:
        code = Code.NONE
        try:
            parts.topics.delete(name)
        except RefusedError as refused:
            code = refused.code
        verdicts.append({"topic": name, "error_code": code})
    return {"topic_error_codes": verdicts}


async def describe_configs(parts: Parts, request: Request) -> Fields:
    """Return the configuration of topics and of the broker."""
    return {"resources": [_describe(parts, wanted) for wanted in request.fields["resources"]]}


def _describe(parts: Parts, wanted: Fields) -> Fields:
    kind, name = wanted["resource_type"], wanted["resource_name"]
    answer: Fields = {"resource_type": kind, "resource_name": name, "config_entries": []}
    if kind == BROKER_RESOURCE:
        entries = {key: (value, SET_ON_BROKER) for key, value in BROKER_CONFIG.items()}
    elif kind == TOPIC_RESOURCE:
        try:
            topic = parts.topics.get(name)
        except RefusedError as refused:
            return answer | {"error_code": refused.code}
        entries = {
            key: (value, SET_ON_TOPIC if key in topic.own_config else SET_BY_DEFAULT)
            for key, value in topic.config.items()
        }
    else:
        return answer | {"error_code": Code.INVALID_REQUEST}
    keys = entries if wanted["config_names"] is None else [key for key in wanted["config_names"] if key in entries]
    return answer | {"config_entries": [_entry(key, *entries[key]) for key in keys]}


def _entry(key: str, value: str, source: int) -> Fields:
    return {
        "config_names": key,
        "config_value": value,
        "read_only": source == SET_ON_BROKER,
        "config_source": source,
        "is_sensitive": False,
        "config_synonyms": [],
    }


HANDLERS: dict[ApiKey, Handler] = {
    ApiKey.API_VERSIONS: api_versions,
    ApiKey.METADATA: metadata,
    ApiKey.CREATE_TOPICS: create_topics,
    ApiKey.DELETE_TOPICS: delete_topics,
    ApiKey.DESCRIBE_CONFIGS: describe_configs,
}
