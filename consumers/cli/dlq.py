"""`pathstream dlq`: look at dead letters and send them back."""

import time
from typing import Annotated, Final

import typer
from aiokafka import ConsumerRecord
from rich.text import Text

from clients.kafka import Connection
from consumers.cli.output import console, headers_of, key_of, pretty_value, printable
from consumers.cli.read_all import reader, to_the_end
from consumers.cli.replay import Selection, replay_dead_letters
from consumers.cli.shell import BootstrapOption, CommandError, execute_tool
from consumers.topics import dead_letter_topic
from producers.dead_letter import SUFFIX

app = typer.Typer(help="Look at dead letters and send them back.", no_args_is_help=True)

TopicArgument = Annotated[str, typer.Argument(help="An input topic, or its dead-letter topic itself.")]
PartitionOption = Annotated[int | None, typer.Option(min=0, help="Of the dead letter; with --offset.")]
_COLUMNS: Final[tuple[str, ...]] = ("partition", "offset", "original", "code", "category", "age", "message")

OffsetOption = Annotated[int | None, typer.Option(min=0, help="Of the dead letter; with --partition.")]


@app.command("list")
def list_letters(topic: TopicArgument, bootstrap_servers: BootstrapOption = None) -> None:
    """One line per dead letter: where it is, where it comes from, what is wrong with it."""

    async def run(connection: Connection) -> int:
        return await _list(connection, _dead_letters_of(topic))

    execute_tool(run, bootstrap_servers=bootstrap_servers)


@app.command()
def show(
    topic: TopicArgument,
    partition: PartitionOption = None,
    offset: OffsetOption = None,
    bootstrap_servers: BootstrapOption = None,
) -> None:
    """All headers and the value of one dead letter, or of all."""

    async def run(connection: Connection) -> int:
        return await _show(connection, _dead_letters_of(topic), _selection(partition, offset))

    execute_tool(run, bootstrap_servers=bootstrap_servers)


@app.command()
def replay(
    topic: TopicArgument,
    *,
    partition: PartitionOption = None,
    offset: OffsetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")] = False,
    bootstrap_servers: BootstrapOption = None,
) -> None:
    """Send dead letters back to where they came from: the same bytes, key and headers, each one once.

    Which ones went back is kept in Kafka, in the offsets of the group TOPIC.dlq-replay.
    """

    async def run(connection: Connection) -> int:
        letters, selection = _dead_letters_of(topic), _selection(partition, offset)
        return await replay_dead_letters(connection, letters, selection, dry_run=dry_run)

    execute_tool(run, bootstrap_servers=bootstrap_servers)


def _dead_letters_of(topic: str) -> str:
    return topic if topic.endswith(SUFFIX) else dead_letter_topic(topic)


def _selection(partition: int | None, offset: int | None) -> Selection | None:
    if partition is None and offset is None:
        return None
    if partition is None or offset is None:
        raise CommandError("--partition and --offset name one dead letter together")
    return Selection(partition, offset)


async def _list(connection: Connection, topic: str) -> int:
    async with reader(connection, [topic]) as consumer:
        rows = [_COLUMNS, *[_summary(record) async for record in to_the_end(consumer)]]
    count = len(rows) - 1
    if count:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            console.print(Text(line), no_wrap=True, overflow="ellipsis", soft_wrap=False)
    console.print(f"{count} dead letter{'' if count == 1 else 's'} in {topic}")
    return 0


def _summary(record: ConsumerRecord) -> tuple[str, ...]:
    headers = headers_of(record)

    def text(name: str) -> str:
        return printable(str(headers.get(name, "-"))).replace("\n", " ")

    original = "-".join(text(f"kafka_dlt-original-{part}") for part in ("topic", "partition", "offset"))
    code, category = text("pathstream-error-code"), text("pathstream-error-category")
    place = str(record.partition), str(record.offset)
    message = text("kafka_dlt-exception-message")
    return *place, original, code, category, _age(record.timestamp), message


def _age(timestamp_ms: int) -> str:
    seconds = max(0, int(time.time() - timestamp_ms / 1000))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


async def _show(connection: Connection, topic: str, selection: Selection | None) -> int:
    shown = 0
    async with reader(connection, [topic]) as consumer:
        async for record in to_the_end(consumer):
            if selection is None or selection == Selection(record.partition, record.offset):
                _print_letter(record)
                shown += 1
    if selection and not shown:
        raise CommandError(f"{topic} has no record {selection.partition}@{selection.offset}")
    if not shown:
        console.print(f"no dead letters in {topic}")
    return 0


def _print_letter(record: ConsumerRecord) -> None:
    key = printable(key_of(record) or "(no key)")
    console.print(f"{record.topic}-{record.partition}@{record.offset}  {key}", style="bold")
    for name, value in headers_of(record).items():
        text = printable(str(value)).rstrip().replace("\n", "\n    ")
        console.print(f"  {printable(name)}: {text}")
    console.print(pretty_value(record.value))
    console.print()
