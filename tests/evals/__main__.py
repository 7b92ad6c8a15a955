"""`make eval`: a table of how well each fixture is graded, by recorded answers and without a model.

With GOOGLE_API_KEY a model judges the feedback too; with RECORD=1 it grades the fixtures anew first. It is the model
of the settings (LLM_MODEL, LLM_BASE_URL). The exit code is 1 where a fixture has no usable recorded answers.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from rich.console import Console

from clients.http import open_http_client
from consumers.models import build_model
from consumers.observability import Metrics
from consumers.settings import Settings, SettingsError, load_settings
from tests.evals.cassettes import FOLDER
from tests.evals.report import report

WIDTH = 120


async def main(settings: Settings, console: Console, *, record: bool, folder: Path = FOLDER) -> int:
    """Print the table and what is to be said about it."""
    async with open_http_client(max_connections=1) as http:
        live = build_model(settings, http, Metrics(CollectorRegistry()))
        made = await report(live, record=record, folder=folder)
    console.print(made.table)
    for note in made.notes:
        console.print(note, highlight=False, markup=False)
    return 0 if made.complete else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make eval", description=__doc__)
    parser.add_argument("--record", action="store_true", help="let the model grade anew and keep its answers")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        sys.exit(asyncio.run(main(load_settings(), Console(width=WIDTH), record=asked.record)))
    except SettingsError as error:
        sys.exit(str(error))
