"""The offline planner's view of a catalogue: which topics there are, and their learnable order."""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from clients.llm.study_resources import Reading, read, readable
from clients.llm.study_words import normalised, tokens
from schemas.outputs import Resource

MASTERED = 0.8

_FIRST_WORDS = frozenset({"basics", "basic", "introduction", "intro", "fundamentals", "foundations", "overview"})
_LAST_WORDS = frozenset({"advanced", "expert", "project", "capstone"})
_RESOURCES_READ = 50
_OUTLINES_REMEMBERED = 10_240


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing to learn: a concept with its resources, or a single resource without a concept."""

    key: str
    """Normalised, as mastery and prerequisites refer to it."""
    title: str
    place: int
    """Where the catalogue lists it."""
    resources: tuple[Resource, ...] = ()
    mastery: float | None = None
    """0..1; None when it was never assessed."""
    assessed_as: str | None = None
    """What mastery calls it."""
    level: int | None = None
    """0 beginner, 1 intermediate, 2 advanced; None when the catalogue does not say."""
    prerequisites: tuple[str, ...] = ()
    words: frozenset[str] = field(default=frozenset(), repr=False)
    """Tokens of its concept and tags, or of its name without a concept."""
    more_words: frozenset[str] = field(default=frozenset(), repr=False)
    """Tokens of its resources' names and descriptions."""

    @property
    def mastered(self) -> bool:
        """Whether there is nothing left to learn here."""
        return self.mastery is not None and self.mastery >= MASTERED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Outline:
    """What a topic is for every learner."""

    title: str
    level: int | None
    prerequisites: tuple[str, ...]
    words: frozenset[str]
    more_words: frozenset[str]


def find_topics(resources: Sequence[Resource], mastery: Mapping[str, float]) -> list[Topic]:
    """Group resources by concept, in the catalogue's order, then the concepts that only mastery knows."""
    assessed: dict[str, tuple[float, str]] = {}
    for name, score in mastery.items():
        if key := normalised(name):  # of two spellings the lower score counts
            assessed[key] = min((score, name), assessed.get(key, (score, name)))
    readings = [read(resource) for resource in resources]
    groups: dict[str, tuple[list[Resource], list[Reading]]] = {}
    for key, resource, reading in zip(_keys(readings, assessed), resources, readings, strict=True):
        group = groups.setdefault(key, ([], []))
        group[0].append(resource)
        group[1].append(reading)
    for key in assessed:
        groups.setdefault(key, ([], []))
    return [
        _topic(key, *group, place=place, assessed=assessed.get(key))
        for place, (key, group) in enumerate(groups.items())
    ]


def in_order(topics: Sequence[Topic]) -> list[Topic]:
    """Order topics: prerequisites first; then by level, by what is begun, and as the catalogue lists them.

    What is begun comes before what is new: mastery grows from the front. A circle of prerequisites is
    entered where this order would begin.
    """
    by_key = {topic.key: topic for topic in topics}
    missing = {key: {p for p in topic.prerequisites if p in by_key and p != key} for key, topic in by_key.items()}
    after: dict[str, list[str]] = defaultdict(list)
    for key, before in missing.items():
        for prerequisite in before:
            after[prerequisite].append(key)
    ranks = {key: _rank(topic) for key, topic in by_key.items()}
    ready = [(ranks[key], key) for key, before in missing.items() if not before]
    heapq.heapify(ready)
    rest = iter(sorted(by_key, key=ranks.__getitem__))
    ordered: dict[str, Topic] = {}
    while len(ordered) < len(by_key):
        key = heapq.heappop(ready)[1] if ready else next(key for key in rest if key not in ordered)
        if key in ordered:
            continue
        ordered[key] = by_key[key]
        for follower in after[key]:
            missing[follower].discard(key)
            if not missing[follower]:
                heapq.heappush(ready, (ranks[follower], follower))
    return list(ordered.values())


def _rank(topic: Topic) -> tuple[int, int, int, int]:
    words = topic.words
    stage = 1 if words.isdisjoint(_FIRST_WORDS) else 0
    if stage and not words.isdisjoint(_LAST_WORDS):
        stage = 2
    begun = math.floor((topic.mastery or 0.0) * 4)
    return (1 if topic.level is None else topic.level, stage, -begun, topic.place)


def _keys(readings: Sequence[Reading], assessed: Iterable[str]) -> Iterable[str]:
    """Return each resource's concept: its own, else the longest one whose words its name or tags hold."""
    if all(reading.concept for reading in readings):
        return [reading.concept or "" for reading in readings]
    known = {reading.concept for reading in readings if reading.concept}
    index = _by_rarest_word(known.union(assessed))
    return [reading.concept or _found(reading, index) for reading in readings]


def _by_rarest_word(keys: Iterable[str]) -> dict[str, list[tuple[frozenset[str], str]]]:
    """Index multi-word concept keys by one of their words, so that a name is compared with few of them."""
    split = {key: frozenset(key.split()) for key in sorted(keys)}
    counts: dict[str, int] = defaultdict(int)
    for words in split.values():
        for word in words:
            counts[word] += 1
    index: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
    for key, words in split.items():
        if words:
            index[min(words, key=lambda word: (counts[word], word))].append((words, key))
    return index


def _found(reading: Reading, index: Mapping[str, list[tuple[frozenset[str], str]]]) -> str:
    found = [(len(need), key) for word in reading.said for need, key in index.get(word, ()) if need <= reading.said]
    return max(found)[1] if found else reading.name


def _topic(
    key: str,
    resources: Sequence[Resource],
    readings: Sequence[Reading],
    *,
    place: int,
    assessed: tuple[float, str] | None,
) -> Topic:
    mastery, assessed_as = assessed or (None, None)
    outline = _outline(key, tuple(readings[:_RESOURCES_READ]), None if readings else assessed_as)
    return Topic(
        key=key,
        title=outline.title,
        place=place,
        resources=tuple(resources),
        mastery=mastery,
        assessed_as=assessed_as,
        level=outline.level,
        prerequisites=outline.prerequisites,
        words=outline.words,
        more_words=outline.more_words,
    )


@lru_cache(maxsize=_OUTLINES_REMEMBERED)
def _outline(key: str, told: tuple[Reading, ...], assessed_as: str | None) -> _Outline:
    """Sum up what a topic's resources say; `assessed_as` names a topic that has none."""
    levels = [reading.level for reading in told if reading.level is not None]
    return _Outline(
        title=told[0].title if told else readable(assessed_as or "") or assessed_as or "",
        level=min(levels, default=None),
        prerequisites=tuple(dict.fromkeys(before for reading in told for before in reading.prerequisites)),
        words=frozenset(tokens(key)).union(*(reading.tag_words for reading in told)),
        more_words=_union([reading.text_words for reading in told]),
    )


def _union(sets: Sequence[frozenset[str]]) -> frozenset[str]:
    """Unite sets; a single one is not copied, since it is remembered already."""
    return sets[0] if len(sets) == 1 else frozenset[str]().union(*sets)
