"""The offline planner's wording: titles and sentences from a catalogue, and a learner's preferences."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from schemas.outputs import Resource

_LONGEST_LINE = 160
_MOST_WISHES = 8
_LONGEST_WISH = 80
_RESOURCES_READ = 500
_LINES_REMEMBERED = 4096
_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?![\w-])")
_NO_LETTER = re.compile(r"[^a-z]")
_FORMAT_FIELDS = frozenset(
    {"format", "formats", "type", "types", "contenttype", "resourcetype", "preferredformat", "media"}
    | {"learningstyle", "style", "preferredformats"}
)
_TOPIC_FIELDS = frozenset({"topics", "topic", "interests", "focus", "focusareas"})
_KINDS: Mapping[str, tuple[str, ...]] = {
    "video": ("video", "visual", "lecture", "webinar", "watch", "screencast"),
    "text": ("article", "text", "read", "book", "doc", "tutorial", "blog", "guide"),
    "practice": ("exercise", "practice", "interactive", "hands", "lab", "quiz", "project", "kinesthetic"),
    "audio": ("audio", "podcast", "auditory", "listen"),
    "course": ("course", "class", "workshop"),
}


@lru_cache(maxsize=1024)
def kind_of(text: str) -> str:
    """Return which kind of resource a type or a preference means; the text itself when it is none we know."""
    folded = text.strip().casefold()
    return next((kind for kind, words in _KINDS.items() if any(word in folded for word in words)), folded)


def preferred_kinds(preferences: Mapping[str, Any]) -> frozenset[str]:
    """Return the kinds of resources the learner prefers, under whatever name the front end sends it."""
    return frozenset(kind_of(text) for text in _texts_of(preferences, _FORMAT_FIELDS) if text.strip())


def wished_topics(preferences: Mapping[str, Any]) -> list[str]:
    """Return the topics the learner names in the preferences, in order, each once, as titles."""
    wishes = (one_line(text, _LONGEST_WISH) for text in _texts_of(preferences, _TOPIC_FIELDS))
    return list(dict.fromkeys(_capital(wish) for wish in wishes if wish))[:_MOST_WISHES]


def one_line(text: str, longest: int = _LONGEST_LINE) -> str:
    """Put a text on one line without control characters, cut at a word where it is too long."""
    return _one_line(text[: 10 * longest], longest)


@lru_cache(maxsize=_LINES_REMEMBERED)
def _one_line(text: str, longest: int) -> str:
    printable = text
    if not text.isprintable():
        printable = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    line = " ".join(printable.split())
    if len(line) <= longest:
        return line
    cut = line[: longest - 1]
    return (cut.rsplit(" ", 1)[0] or cut).rstrip(" ,;:") + "…"


def sentence(text: str) -> str:
    """Put a text on one line and end it as a sentence."""
    line = _capital(one_line(text))
    return line if not line or line.endswith((".", "!", "?", "…", "。")) else f"{line}."


def titled(text: str, spelling: Mapping[str, str]) -> str:
    """Make a title: one line, a capital first, and names (SQL, JavaScript) as the catalogue spells them."""
    words = [spelling.get(word, word) for word in one_line(text).split()]
    return _capital(" ".join(words)) or "Untitled topic"


def spelling_of(resources: Sequence[Resource]) -> dict[str, str]:
    """Learn from running text how names are written: words with capitals that no sentence begins with."""
    found: dict[str, str] = {}
    for resource in resources[:_RESOURCES_READ]:
        for text in (resource.name, resource.description[:1000]):
            for word in _names_in(text):
                found.setdefault(word.lower(), word)
    return found


@lru_cache(maxsize=4096)
def _names_in(text: str) -> tuple[str, ...]:
    names = []
    for match in _WORD.finditer(text):
        word, before = match[0], text[: match.start()].rstrip()
        begins = not before or before[-1] in ".:!?"
        if word[1:] != word[1:].lower() or (word != word.lower() and not begins):
            names.append(word)
    return tuple(names)


def _texts_of(preferences: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Read the preferences whose name, in any spelling, is one of `names`: a text or a list of texts each."""
    found: list[str] = []
    for name, value in preferences.items():
        if _NO_LETTER.sub("", name.casefold()) in names:
            entries = value if isinstance(value, list | tuple) else [value]
            found.extend(entry for entry in entries[:50] if isinstance(entry, str))
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
