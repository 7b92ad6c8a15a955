"""All commands under one name."""

import typer

from consumers.cli import demo, dlq, produce, run, tail, topics

app = typer.Typer(
    name="pathstream",
    help="Turns learning events on Kafka into learning decisions, exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (run, demo, produce, tail):
    app.add_typer(group.app)
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
