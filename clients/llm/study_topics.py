"""The offline planner's view of a catalogue: which topics there are, which serve a goal, and in which order.

Also used by the agent to put the resources that matter first into a prompt.
"""

import heapq
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from clients.llm.study_words import Vocabulary, tokens, weights
from schemas.outputs import Resource

MASTERED = 0.8

_LEVELS = ("beginner", "intermediate", "advanced")
_LEVEL_WORDS = {"basic": 0, "easy": 0, "elementary": 0, "medium": 1, "hard": 2, "expert": 2}
_FIRST_WORDS = frozenset(
    {"basics", "basic", "introduction", "intro", "fundamentals", "foundations", "overview"}
)
_LAST_WORDS = frozenset({"advanced", "expert", "project", "capstone"})
_NEAR_THE_BEST = 0.4
_IN_THE_CONCEPT, _IN_A_DESCRIPTION = 2.0, 1.0
_TAG_FIELDS = ("topics", "skills", "tags", "subject", "category")
_LONGEST_LIST = 50


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


@lru_cache(maxsize=4096)
def normalised(text: str) -> str:
    """Write a concept so that `Python_Functions`, `python-functions` and `python functions` are one."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text))
    return " ".join(re.findall(r"[^\W_]+|[+#]+", spaced.casefold())) or text.strip().casefold()


def find_topics(resources: Sequence[Resource], mastery: Mapping[str, float]) -> list[Topic]:
    """Group resources by concept, in the catalogue's order, then the concepts that only mastery knows."""
    assessed: dict[str, tuple[float, str]] = {}
    for name, score in mastery.items():
        if key := normalised(name):  # of two spellings the lower score counts
            assessed[key] = min((score, name), assessed.get(key, (score, name)))
    groups: dict[str, list[Resource]] = defaultdict(list)
    known = {normalised(resource.conceptId) for resource in resources if resource.conceptId} | set(assessed)
    index = _by_rarest_word(known)
    for resource in resources:
        groups[_key(resource, index)].append(resource)
    unseen: dict[str, list[Resource]] = {key: [] for key in assessed if key not in groups}
    return [
        _topic(key, group, place, *assessed.get(key, (None, None)))
        for place, (key, group) in enumerate([*groups.items(), *unseen.items()])
    ]


def relevance(topics: Sequence[Topic], goal: str, wishes: Sequence[str]) -> dict[str, float]:
    """Score how well each topic meets the goal, by key; without any that does, how well it meets the wishes.

    A wish ("topics" in a learner's preferences) lifts a topic that meets the goal, and no other.
    """
    vocabulary = Vocabulary({word for topic in topics for word in topic.words | topic.more_words})
    by_goal = _scores(topics, vocabulary, weights([goal]))
    by_wish = _scores(topics, vocabulary, weights(wishes))
    if not any(by_goal.values()):
        return by_wish
    return {key: score + by_wish[key] / 2 if score else 0.0 for key, score in by_goal.items()}


def choose_topics(topics: Sequence[Topic], goal: str, wishes: Sequence[str]) -> list[Topic]:
    """Keep the topics whose relevance is near the best one, and all that comes before them.

    None meet it: all topics when the goal says nothing that could be met (no telling words, or another
    script than the catalogue's), else none.
    """
    scores = relevance(topics, goal, wishes)
    best = max(scores.values(), default=0.0)
    if best == 0:
        telling = [word for word in weights([goal, *wishes]) if word.isascii()]
        return [] if telling else [topic for topic in topics if topic.resources]
    by_key = {topic.key: topic for topic in topics}
    kept: set[str] = set()
    waiting = [key for key, score in scores.items() if score >= best * _NEAR_THE_BEST]
    while waiting:
        key = waiting.pop()
        if key in by_key and key not in kept:
            kept.add(key)
            waiting.extend(by_key[key].prerequisites)
    return [topic for topic in topics if topic.key in kept]


def in_order(topics: Sequence[Topic]) -> list[Topic]:
    """Order topics: prerequisites first; then by level, by what is begun, and as the catalogue lists them.

    What is begun comes before what is new: mastery grows from the front. A circle of prerequisites is
    entered where this order would begin.
    """
    by_key = {topic.key: topic for topic in topics}
    missing = {
        key: {p for p in topic.prerequisites if p in by_key and p != key} for key, topic in by_key.items()
    }
    after: dict[str, list[str]] = defaultdict(list)
    for key, before in missing.items():
        for prerequisite in before:
            after[prerequisite].append(key)
    ready = [(_rank(by_key[key]), key) for key, before in missing.items() if not before]
    heapq.heapify(ready)
    rest = sorted((_rank(topic), topic.key) for topic in topics)
    ordered: dict[str, Topic] = {}
    while len(ordered) < len(by_key):
        key = heapq.heappop(ready)[1] if ready else next(key for _, key in rest if key not in ordered)
        if key in ordered:
            continue
        ordered[key] = by_key[key]
        for follower in after[key]:
            missing[follower].discard(key)
            if not missing[follower]:
                heapq.heappush(ready, (_rank(by_key[follower]), follower))
    return list(ordered.values())


def _scores(topics: Sequence[Topic], vocabulary: Vocabulary, wanted: Mapping[str, float]) -> dict[str, float]:
    alike = {word: frozenset(vocabulary.like(word)) for word in wanted}
    return {
        topic.key: sum(
            weight
            * (_IN_THE_CONCEPT if alike[word] & topic.words else _IN_A_DESCRIPTION)
            * bool(alike[word] & (topic.words | topic.more_words))
            for word, weight in wanted.items()
        )
        for topic in topics
    }


def _rank(topic: Topic) -> tuple[int, int, int, int]:
    words = topic.words
    stage = 0 if words & _FIRST_WORDS else 2 if words & _LAST_WORDS else 1
    begun = math.floor((topic.mastery or 0.0) * 4)
    return (1 if topic.level is None else topic.level, stage, -begun, topic.place)


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


def _key(resource: Resource, index: Mapping[str, list[tuple[frozenset[str], str]]]) -> str:
    """Return a resource's concept: its own, else the longest one whose words its name or tags hold."""
    if resource.conceptId and resource.conceptId.strip():
        return normalised(resource.conceptId)
    words = frozenset(normalised(" ".join([resource.name, *texts(resource, _TAG_FIELDS)])).split())
    found = [(len(need), key) for word in sorted(words) for need, key in index.get(word, ()) if need <= words]
    return max(found)[1] if found else normalised(resource.name)


def _topic(
    key: str, group: Sequence[Resource], place: int, mastery: float | None, assessed_as: str | None
) -> Topic:
    concept = (group[0].conceptId if group else assessed_as) or ""
    levels = [level for resource in group if (level := _level(resource)) is not None]
    told = group[:_LONGEST_LIST]
    tags = [tag for resource in told for tag in texts(resource, _TAG_FIELDS)]
    return Topic(
        key=key,
        title=_readable(concept) or (group[0].name if group else concept),
        place=place,
        resources=tuple(group),
        mastery=mastery,
        assessed_as=assessed_as,
        level=min(levels) if levels else None,
        prerequisites=tuple(
            dict.fromkeys(normalised(other) for r in told for other in texts(r, ("prerequisites",)))
        ),
        words=frozenset(tokens(" ".join([key, *tags]))),
        more_words=frozenset(tokens(" ".join(f"{r.name} {r.description[:1000]}" for r in told))),
    )


def _readable(concept_id: str) -> str:
    """Turn `python-data-structures` into words; nothing when it is a number, a hash or an abbreviation."""
    words = normalised(concept_id).split()
    if not words or not all(word.isalpha() for word in words) or max(map(len, words)) <= 2:  # noqa: PLR2004
        return ""
    return " ".join(words)


def texts(resource: Resource, fields: Iterable[str]) -> list[str]:
    """Read the texts in fields that the contract does not name: a text or a list of texts each."""
    extra: Mapping[str, Any] = resource.model_extra or {}
    found: list[str] = []
    for name in fields:
        value = extra.get(name)
        entries = value if isinstance(value, list) else [value]
        found.extend(
            entry[:200] for entry in entries[:_LONGEST_LIST] if isinstance(entry, str) and entry.strip()
        )
    return found


def _level(resource: Resource) -> int | None:
    for text in texts(resource, ("level", "difficulty", "difficultyLevel", "difficulty_level")):
        word = text.strip().casefold()
        if word in _LEVELS:
            return _LEVELS.index(word)
        if word in _LEVEL_WORDS:
            return _LEVEL_WORDS[word]
    return None
