"""`pathstream topics`: the topics of the service."""

from typing import Annotated

import typer
from aiokafka.admin import NewTopic
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import for_code
from rich.table import Table

from clients.kafka import Connection
from consumers.cli.output import console
from consumers.cli.shell import BootstrapOption, CommandError, cluster_metadata, execute_tool
from consumers.topics import TOPICS, TopicSpec

app = typer.Typer(help="Create or list the topics of the service.", no_args_is_help=True)

_BROKERS_DEFAULT = -1
_ALREADY_EXISTS = 36


@app.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="Of every new topic.")] = 12,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, help="Of every new topic; the broker's default when not given.")
    ] = None,
    bootstrap_servers: BootstrapOption = None,
) -> None:
    """Create what is missing; topics that exist are left as they are."""

    async def run(connection: Connection) -> int:
        return await _create(connection, partitions, replication_factor or _BROKERS_DEFAULT)

    execute_tool(run, bootstrap_servers=bootstrap_servers)


@app.command("list")
def list_topics(bootstrap_servers: BootstrapOption = None) -> None:
    """Show the topics of the service, and which of them are missing."""
    execute_tool(_list, bootstrap_servers=bootstrap_servers)


async def _create(connection: Connection, partitions: int, replication_factor: int) -> int:
    cluster = await cluster_metadata(connection)
    new: dict[TopicSpec, int] = {}
    for spec in TOPICS:
        if existing := cluster.partitions_for_topic(spec.name):
            console.print(f"{spec.name}: exists already, {len(existing)} partitions")
        else:
            model = cluster.partitions_for_topic(spec.like) if spec.like else None
            new[spec] = len(model) if model else partitions
    refused = await _create_missing(connection, new, replication_factor)
    for spec, count in new.items():
        if spec.name not in refused:
            console.print(f"{spec.name}: created, {count} partitions")
    if refused:
        raise CommandError("; ".join(f"{name}: {reason}" for name, reason in refused.items()))
    return _check_shared_counts(await cluster_metadata(connection))


async def _create_missing(connection: Connection, new: dict[TopicSpec, int], replication_factor: int) -> dict[str, str]:
    """Create the topics; gives those that the broker refused, with its reason."""
    if not new:
        return {}
    admin = connection.admin()
    await admin.start()
    try:
        response = await admin.create_topics(
            [
                NewTopic(name=spec.name, num_partitions=count, replication_factor=replication_factor,
                         replica_assignments={} if replication_factor == _BROKERS_DEFAULT else None,
                         topic_configs=dict(spec.config))
                for spec, count in new.items()
            ]
        )  # fmt: skip
    finally:
        await admin.close()
    return {
        topic: f"{for_code(code).__name__} {message or ''}".strip()
        for topic, code, message in response.topic_errors
        if code not in (0, _ALREADY_EXISTS)
    }


def _check_shared_counts(cluster: ClusterMetadata) -> int:
    for spec in TOPICS:
        mine, theirs = (
            cluster.partitions_for_topic(spec.name),
            cluster.partitions_for_topic(spec.like or spec.name),
        )
        if mine and theirs and len(mine) != len(theirs):
            raise CommandError(
                f"{spec.name} has {len(mine)} partitions and {spec.like} {len(theirs)}; the worker needs the"
                f" same count, and more partitions lose what is known of every learner who moves: its /readyz has the"
                f" two ways out"
            )
    return 0


async def _list(connection: Connection) -> int:
    cluster = await cluster_metadata(connection)
    table = Table(box=None, pad_edge=False)
    for name in ("topic", "role", "key"):
        table.add_column(name, no_wrap=True)
    table.add_column("partitions", justify="right", no_wrap=True)
    for spec in TOPICS:
        partitions = cluster.partitions_for_topic(spec.name)
        table.add_row(spec.name, spec.role, spec.key, str(len(partitions)) if partitions else "missing")
    console.print(table)
    return 0
