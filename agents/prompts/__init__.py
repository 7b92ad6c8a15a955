"""Prompts: instructions from the versioned `.md` files here, data between markers it cannot leave."""

import importlib.resources
import re
from dataclasses import dataclass
from functools import cache

import pydantic_core

_FRONT_MATTER = re.compile(r"\A---\nversion: *(\d+)\n---\n", re.MULTILINE)
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPED = re.compile(f"[{''.join(_ESCAPES)}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A prompt's instructions, and the version that goes with a result made from them."""

    name: str
    version: int
    instructions: str


@cache
def load_template(name: str) -> Template:
    """Read `<name>.md` from this package; raises ValueError without a `version:` in its front matter."""
    text = importlib.resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    front = _FRONT_MATTER.match(text)
    if front is None:
        raise ValueError(f"{name}.md does not begin with its version")
    return Template(name=name, version=int(front[1]), instructions=text[front.end() :].strip())


def data_block(data: object) -> str:
    """Put data between markers, as one line of JSON in which no angle bracket is left to form a marker."""
    return f"<data>\n{escaped_json(data)}\n</data>"


def escaped_json(data: object) -> str:
    """Return data as JSON on one line, with the characters of a marker escaped as JSON allows."""
    text = pydantic_core.to_json(data, inf_nan_mode="null").decode()
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)
