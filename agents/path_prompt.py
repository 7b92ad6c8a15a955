"""What a model is shown to plan a path: the wishes without the learner, the resources that matter."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from agents.prompts import escaped_json
from clients.llm.study_choice import relevance
from clients.llm.study_texts import one_line, wished_topics
from clients.llm.study_topics import find_topics
from clients.llm.study_words import normalised
from schemas.events import Level
from schemas.outputs import JsonObject, Resource

Entry = TypeVar("Entry")

RESOURCES_CHARS = 24_000  # about 6,000 tokens
MASTERY_CHARS = 6_000
PREFERENCES_CHARS = 2_000
_DESCRIPTION_CHARS = 200
_LONGEST_TEXT = 2000
_RESOURCES_REMEMBERED = 4096
_DEEPEST = 3
_LONGEST_LIST = 20

_E_MAIL = re.compile(r"[^\s@<>,;:\"']{1,64}@[^\s@<>,;:\"']{1,255}")
_PERSONAL_FIELD = re.compile(
    r"(?i:name|mail|phone|address|birth|gender|user|employee|learner)|(?:^|_|-)(?i:id)$|[a-z]I[dD]$"
)


def path_data(
    *,
    goal: str,
    current_level: Level,
    preferences: Mapping[str, Any],
    available_time: str,
    resources: Sequence[Resource],
    mastery: Mapping[str, float],
) -> JsonObject:
    """Build the prompt's data: no id, name or e-mail of the learner, the most relevant resources first.

    Lists are cut to a budget of characters, always in the same way.
    """
    offer = offer_data(resources, mastery, relevant_to=goal, wishes=wished_topics(preferences))
    return {
        "goal": without_mail(goal),
        "current_level": current_level,
        "preferences": dict(within(PREFERENCES_CHARS, measured(_impersonal(preferences).items()))),
        "available_time": without_mail(available_time),
    } | offer


def offer_data(
    resources: Sequence[Resource], mastery: Mapping[str, float], *, relevant_to: str, wishes: Sequence[str] = ()
) -> JsonObject:
    """What is known of the learner's mastery and on offer, the most relevant first, each cut to its budget."""
    topics = find_topics(resources, mastery)
    scores = relevance(topics, relevant_to, wishes)
    topic_of = {id(resource): topic.key for topic in topics for resource in topic.resources}
    ranked = sorted(resources, key=lambda resource: -scores[topic_of[id(resource)]])
    scored = sorted(mastery.items(), key=lambda entry: -scores.get(normalised(entry[0]), 0.0))
    shown = within(RESOURCES_CHARS, map(_show, ranked))
    return {
        "mastery": {name: round(score, 2) for name, score in within(MASTERY_CHARS, measured(scored))},
        "resources": shown,
        "more_resources_exist": len(shown) < len(resources),
    }


def _show(resource: Resource) -> tuple[JsonObject, int]:
    entry, chars = _shown(
        resource.resourceId,
        resource.name[:_LONGEST_TEXT],
        resource.type[:_LONGEST_TEXT],
        (resource.conceptId or "")[:_LONGEST_TEXT],
        resource.description[:_LONGEST_TEXT],
    )
    return dict(entry), chars


@lru_cache(maxsize=_RESOURCES_REMEMBERED)
def _shown(
    resource_id: str, name: str, kind: str, concept: str, description: str
) -> tuple[tuple[tuple[str, str], ...], int]:
    """Return what the prompt says of a resource and how long it is as JSON: the same for every learner."""
    entry = {
        "id": resource_id,
        "name": one_line(name),
        "type": one_line(kind),
        "concept": one_line(concept),
        "description": one_line(description, _DESCRIPTION_CHARS),
    }
    return tuple(entry.items()), _json_chars(entry)


def _json_chars(entry: object) -> int:
    return len(escaped_json(entry)) + 1


def within(chars: int, entries: Iterable[tuple[Entry, int]]) -> list[Entry]:
    """Take entries, each with its length as JSON, from the front as long as they stay within `chars`."""
    kept: list[Entry] = []
    for entry, length in entries:
        chars -= length
        if chars < 0:
            break
        kept.append(entry)
    return kept


def measured(entries: Iterable[Entry]) -> Iterator[tuple[Entry, int]]:
    """Each entry with its length as JSON, in characters."""
    return ((entry, _json_chars(entry)) for entry in entries)


def _impersonal(value: Mapping[str, Any], depth: int = 1) -> dict[str, Any]:
    """Keep what is a preference: no field that names a person, no e-mail address, nothing deep or long."""
    return {
        one_line(name): _plain(entry, depth)
        for name, entry in list(value.items())[:_LONGEST_LIST]
        if not _PERSONAL_FIELD.search(name)
    }


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return without_mail(one_line(value))
    if isinstance(value, bool | int | float) or value is None or depth >= _DEEPEST:
        return value if not isinstance(value, dict | list) else None
    if isinstance(value, Mapping):
        return _impersonal(value, depth + 1)
    if isinstance(value, Sequence):
        return [_plain(entry, depth + 1) for entry in value[:_LONGEST_LIST]]
    return None


def without_mail(text: str) -> str:
    """Replace e-mail addresses: a model need not know them."""
    return _E_MAIL.sub("[e-mail]", text)
