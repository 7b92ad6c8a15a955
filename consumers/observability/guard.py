"""Keeps payloads, prompts, names and secrets out of the logs, whoever logs them by mistake."""

import sys
import traceback
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaError
from pydantic import BaseModel, SecretBytes, SecretStr
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from schemas.errors import PathstreamError

HIDDEN = "[hidden]"

FORBIDDEN_KEYS = frozenset(
    {
        "answer", "api_key", "authorization", "available_resources", "body", "content",
        "description", "email", "employee_email", "employee_name", "event_data", "feedback",
        "full_name", "goal", "google_api_key", "headers", "learning_goal", "learning_path",
        "mastery_scores", "message_value", "name", "password", "payload", "preferences", "prompt",
        "prompts", "raw", "request", "resources", "response", "secret", "text", "token",
        "user_name", "username", "value",
    }
)  # fmt: skip
"""Fields that would hold what a learner wrote, who the learner is, or how to get in."""

_FORBIDDEN_ENDINGS = ("_secret", "_password", "_token", "_prompt", "_payload", "_email", "_api_key")
_FORBIDDEN_TYPES = (SecretStr, SecretBytes, BaseModel, bytes, bytearray, memoryview)

_SPEAKABLE = (PathstreamError, KafkaError, OSError)
"""Errors whose message is known to quote no input; any other one may, as pydantic's and KeyError's do."""


def hide_private(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Mask forbidden fields, at any depth of mappings; a structlog processor."""
    for name, value in event_dict.items():
        shown = _shown(name, value)
        if shown is not value:
            event_dict[name] = shown
    return event_dict


def render_exception(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Turn `exc_info` into `exception`, a trace without the text of foreign errors; a structlog processor."""
    exc_info = event_dict.pop("exc_info", None)
    error = _error_of(exc_info)
    if error is not None:
        event_dict["exception"] = describe_exception(error)
    return event_dict


def describe_exception(error: BaseException) -> str:
    """The stack with its causes; an error's own text only where it is known to quote no input."""
    lines = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines.append(describe_exception(cause))
        lines.append("which led to")
    lines.extend(entry.rstrip() for entry in traceback.format_tb(error.__traceback__))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    lines.append(f"{kind}: {error}" if isinstance(error, _SPEAKABLE) else kind)
    if isinstance(error, BaseExceptionGroup):
        lines.extend(describe_exception(inner) for inner in error.exceptions)
    return "\n".join(lines)


def _error_of(exc_info: ExcInfo | BaseException | object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error: BaseException | None = exc_info[1]
        return error
    if exc_info:
        return sys.exc_info()[1]
    return None


def _shown(name: str, value: Any) -> Any:
    if type(value) in (int, float, bool) or value is None:
        return value
    if name in FORBIDDEN_KEYS or name.endswith(_FORBIDDEN_ENDINGS) or isinstance(value, _FORBIDDEN_TYPES):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(inner): _shown(str(inner), content) for inner, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown("", item) for item in value]
    return value
