"""The offline planner's reading of a resource: what its texts say, worked out once for every learner.

Catalogues repeat from learner to learner, and the same resource is read for the prompt, the plan and the
recommendations of one event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from clients.llm.study_time import parse_hours
from clients.llm.study_words import normalised, tokens
from schemas.outputs import Resource

_Extra = tuple[tuple[str, str | float | tuple[str, ...]], ...]

_LEVELS = ("beginner", "intermediate", "advanced")
_LEVEL_WORDS = {word: level for level, word in enumerate(_LEVELS)} | {
    "basic": 0,
    "easy": 0,
    "elementary": 0,
    "medium": 1,
    "hard": 2,
    "expert": 2,
}
_TAG_FIELDS = ("topics", "skills", "tags", "subject", "category")
_LEVEL_FIELDS = ("level", "difficulty", "difficultyLevel", "difficulty_level")
_BEFORE_FIELDS = ("prerequisites",)
_MINUTE_FIELDS = ("durationMinutes", "duration_minutes", "estimatedMinutes", "minutes")
_DURATION_FIELDS = ("duration", "estimatedDuration", "estimated_duration", "length")
_FIELDS = frozenset((*_TAG_FIELDS, *_LEVEL_FIELDS, *_BEFORE_FIELDS, *_MINUTE_FIELDS, *_DURATION_FIELDS))
_LONGEST_LIST = 50
_LONGEST_ENTRY = 200
_LONGEST_TEXT = 1000
_MOST_MINUTES = 40 * 60
_WORDS_SHARED = 16_384
_READINGS_REMEMBERED = 10_240  # more than the content service's largest answer; 3 to 11 kB each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What one resource's texts say; the same object as long as it is remembered."""

    concept: str | None
    """Normalised; None when the resource names none."""
    name: str
    """Normalised."""
    title: str
    """What to call the topic: the concept where it reads as words, else the name."""
    said: frozenset[str]
    """The normalised words of name and tags, in which a concept may be found."""
    level: int | None
    """0 beginner, 1 intermediate, 2 advanced; None when the catalogue does not say."""
    prerequisites: tuple[str, ...]
    """Concepts, normalised."""
    hours: float | None
    """How long the material is; None when the catalogue does not say."""
    tag_words: frozenset[str]
    text_words: frozenset[str]


def read(resource: Resource) -> Reading:
    """Read a resource; what depends on its texts alone is worked out once."""
    return _read(
        resource.conceptId,
        resource.name[:_LONGEST_TEXT],
        resource.description[:_LONGEST_TEXT],
        _frozen(resource.model_extra or {}),
    )


@lru_cache(maxsize=_READINGS_REMEMBERED)
def _read(concept: str | None, name: str, description: str, extra: _Extra) -> Reading:
    fields = dict(extra)
    tags = _texts(fields, _TAG_FIELDS)
    return Reading(
        concept=normalised(concept) if concept and concept.strip() else None,
        name=normalised(name),
        title=readable(concept or "") or name,
        said=frozenset(normalised(" ".join([name, *tags])).split()),
        level=_level(_texts(fields, _LEVEL_FIELDS)),
        prerequisites=tuple(dict.fromkeys(map(normalised, _texts(fields, _BEFORE_FIELDS)))),
        hours=_hours(fields),
        tag_words=frozenset(map(_shared, tokens(" ".join(tags)))),
        text_words=frozenset(map(_shared, tokens(f"{name} {description}"))),
    )


@lru_cache(maxsize=_WORDS_SHARED)
def _shared(word: str) -> str:
    """Give every reading the same object for the same word: half the memory."""
    return word


def readable(concept_id: str) -> str:
    """Turn `python-data-structures` into words; nothing when it is a number, a hash or an abbreviation."""
    words = normalised(concept_id).split()
    if not words or not all(word.isalpha() for word in words) or max(map(len, words)) <= 2:  # noqa: PLR2004
        return ""
    return " ".join(words)


def _frozen(extra: Mapping[str, object]) -> _Extra:
    """Keep of the fields that the contract does not name what can be read: texts, numbers, lists of texts."""
    kept: list[tuple[str, str | float | tuple[str, ...]]] = []
    for name, value in extra.items():
        if name not in _FIELDS:
            continue
        if isinstance(value, str):
            kept.append((name, value[:_LONGEST_ENTRY]))
        elif isinstance(value, list):
            entries = [entry[:_LONGEST_ENTRY] for entry in value[:_LONGEST_LIST] if isinstance(entry, str)]
            kept.append((name, tuple(entries)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            kept.append((name, value))
    return tuple(kept)


def _texts(fields: Mapping[str, object], names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        value = fields.get(name)
        entries = value if isinstance(value, tuple) else (value,)
        found.extend(entry for entry in entries if isinstance(entry, str) and entry.strip())
    return found


def _level(named: Sequence[str]) -> int | None:
    levels = (_LEVEL_WORDS.get(text.strip().casefold()) for text in named)
    return next((level for level in levels if level is not None), None)


def _hours(fields: Mapping[str, object]) -> float | None:
    for name in _MINUTE_FIELDS:
        minutes = fields.get(name)
        if isinstance(minutes, int | float) and 0 < minutes < _MOST_MINUTES:
            return minutes / 60
    lengths = map(parse_hours, _texts(fields, _DURATION_FIELDS))
    return next((hours for hours in lengths if hours), None)
