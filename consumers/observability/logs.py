"""Logging of the process: structlog for our own lines, those of libraries through the same renderer."""

import logging
import sys
from typing import Any, Final, TextIO

import pydantic_core
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from consumers.observability import log_events
from consumers.observability.guard import hide_private, render_exception
from consumers.observability.outage import BrokerOutage
from consumers.settings import Settings

_LIBRARIES_AT_INFO: Final = ("aiokafka",)
"""Never lower: at DEBUG aiokafka logs whole requests, payloads included."""


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> BrokerOutage:
    """Set logging up for this process, by LOG_LEVEL and LOG_FORMAT, to `stream` (standard output).

    Gives the filter that collapses aiokafka's lines while Kafka is away; run its `watch` beside the worker.
    """
    out = stream or sys.stdout
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared = _shared_processors()
    renderer = _renderer(settings.log_format, colors=out.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    outage = BrokerOutage(settings.kafka_bootstrap_servers, _announce)
    handler = logging.StreamHandler(out)
    handler.addFilter(outage)
    handler.addFilter(_is_no_remains)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    _route(handler, level)
    return outage


def silence_logging() -> None:
    """No line at all, neither ours nor a library's: for commands that speak for themselves."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=True
    )
    _route(logging.NullHandler(), logging.CRITICAL)


def _is_no_remains(record: logging.LogRecord) -> bool:
    """Whether the line is another one than asyncio's about what a broken connection has left.

    Its streams note a connection's error in a future of their own. Garbage collection may find that before the
    stream that would have taken the error back (CPython's `StreamReaderProtocol.__del__`).
    """
    error = record.exc_info[1] if record.exc_info else None
    is_of_a_future = record.name == "asyncio" and str(record.msg).startswith("Future exception was never retrieved")
    return not (is_of_a_future and isinstance(error, ConnectionError))


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        render_exception,
        hide_private,
    ]


def _renderer(log_format: str, *, colors: bool) -> Processor:
    if log_format == "json":
        return _to_json
    return structlog.dev.ConsoleRenderer(colors=colors)


def _to_json(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    """One line of JSON, the event's name first; what JSON does not know is shown as text."""
    line: dict[str, Any] = {"event": event_dict.pop("event", None), **event_dict}
    return pydantic_core.to_json(line, fallback=str, inf_nan_mode="null").decode()


def _route(handler: logging.Handler, level: int) -> None:
    """Give one handler the lines of all libraries: aiokafka's as configured, the others' from WARNING on."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in _LIBRARIES_AT_INFO:
        logging.getLogger(name).setLevel(max(level, logging.INFO))


def _announce(*, away: bool, bootstrap_servers: str, seconds: float, hidden_lines: int) -> None:
    log = structlog.get_logger()
    if away:
        log.error(log_events.BROKER_AWAY, bootstrap_servers=bootstrap_servers)
    else:
        log.warning(
            log_events.BROKER_BACK,
            bootstrap_servers=bootstrap_servers,
            seconds=seconds,
            hidden_lines=hidden_lines,
        )
