"""`pathstream demo`: the whole job on one machine, with nothing installed."""

from typing import Annotated

import typer

from consumers.cli.shell import execute
from consumers.observability import silence_logging
from consumers.settings import Settings

app = typer.Typer()


@app.command()
def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Stay up afterwards, to be tried by hand, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the whole job: embedded broker, worker, five learners, a broken event. Needs no Kafka, no key."""

    async def show(settings: Settings) -> int:
        from consumers.demo import run_demo  # noqa: PLC0415 - engine and broker, for this command only

        silence_logging()
        return await run_demo(settings, keep=keep)

    execute(show)
