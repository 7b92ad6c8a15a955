"""`pathstream run`: the worker."""

import typer

from consumers.cli.shell import BootstrapOption, execute
from consumers.settings import Settings

app = typer.Typer()


@app.command()
def run(bootstrap_servers: BootstrapOption = None) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Start as many as there is work: they share the partitions."""

    async def worker(settings: Settings) -> int:
        from consumers.app import run_worker  # noqa: PLC0415 - the engine, for this command only

        return await run_worker(settings)

    execute(worker, bootstrap_servers=bootstrap_servers)
