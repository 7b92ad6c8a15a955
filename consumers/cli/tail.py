"""`pathstream tail`: what comes out."""

from datetime import datetime
from typing import Annotated

import typer
from aiokafka import ConsumerRecord

from clients.kafka import Connection
from consumers.cli.output import as_json, console, headers_of, key_of, pretty_value, printable
from consumers.cli.read_all import forever, reader
from consumers.cli.shell import BootstrapOption, execute_tool

app = typer.Typer()

_NEWLINE = "\n"
_SHOWN_HEADERS = ("source-event-id", "pathstream-error-code", "kafka_dlt-exception-message")


@app.command()
def tail(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC", help="One or more topics.")],
    *,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start with the oldest record instead of the next one.")
    ] = False,
    as_lines: Annotated[bool, typer.Option("--json", help="One JSON object per record and line.")] = False,
    maximum: Annotated[int | None, typer.Option("--max", min=1, help="Stop after so many records.")] = None,
    bootstrap_servers: BootstrapOption = None,
) -> None:
    """Print records as they come, committed ones only, until Ctrl-C."""

    async def run(connection: Connection) -> int:
        await _tail(connection, topics, from_beginning=from_beginning, as_lines=as_lines, maximum=maximum)
        return 0

    execute_tool(run, bootstrap_servers=bootstrap_servers)


async def _tail(
    connection: Connection, topics: list[str], *, from_beginning: bool, as_lines: bool, maximum: int | None
) -> None:
    async with reader(connection, list(dict.fromkeys(topics))) as consumer:
        await (consumer.seek_to_beginning() if from_beginning else consumer.seek_to_end())
        printed = 0
        async for record in forever(consumer):
            if as_lines:
                print(as_json(record), flush=True)  # noqa: T201
            else:
                _show(record)
            printed += 1
            if printed == maximum:
                return


def _show(record: ConsumerRecord) -> None:
    at = datetime.fromtimestamp(record.timestamp / 1000).astimezone()
    key = printable(key_of(record) or "(no key)")
    console.print(f"{record.topic}-{record.partition}@{record.offset}  {key}  {at:%Y-%m-%d %H:%M:%S}", style="bold")
    headers = headers_of(record)
    for name in _SHOWN_HEADERS:
        if name in headers:
            console.print(f"  {name}: {printable(str(headers[name]).partition(_NEWLINE)[0])}", style="dim")
    console.print(pretty_value(record.value))
