"""The choice of what to learn for a goal: one for the plan, the recommendations and the prompt's order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.llm.study_topics import Topic, find_topics, in_order
from clients.llm.study_words import alike_among, weights
from schemas.events import Level
from schemas.outputs import Resource

WEAK = 0.5
"""Below this mastery there is a gap, whatever level is stated."""
_LEVELS: tuple[Level, ...] = ("beginner", "intermediate", "advanced")
_NEAR_THE_BEST = 0.4
_IN_THE_CONCEPT, _IN_A_DESCRIPTION = 2.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What there is, what of it serves a goal, and what of that is left to learn."""

    topics: list[Topic]
    """All, as the catalogue lists them."""
    serving: list[Topic]
    """Those that serve the goal, mastered or not."""
    to_learn: list[Topic]
    """Of these, what is not mastered and not below the learner's level, in the order to learn it in."""


def choose(
    *,
    goal: str,
    current_level: Level,
    wishes: Sequence[str],
    resources: Sequence[Resource],
    mastery: Mapping[str, float],
) -> Choice:
    """Choose what to learn; both the plan's steps and the recommendations are `to_learn` from its front."""
    topics = find_topics(resources, mastery)
    serving = serving_topics(topics, goal, wishes)
    left = _at_level([topic for topic in serving if not topic.mastered], current_level)
    return Choice(topics=topics, serving=serving, to_learn=in_order(left))


def relevance(topics: Sequence[Topic], goal: str, wishes: Sequence[str]) -> dict[str, float]:
    """Score how well each topic meets the goal, by key; without any that does, how well it meets the wishes.

    A wish ("topics" in a learner's preferences) lifts a topic that meets the goal, and no other.
    """
    wanted, wished = weights((goal,)), weights(tuple(wishes))
    vocabulary = frozenset[str]().union(*(topic.words for topic in topics), *(topic.more_words for topic in topics))
    by_goal = _scores(topics, vocabulary, wanted)
    if not wished:
        return by_goal
    by_wish = _scores(topics, vocabulary, wished)
    if not any(by_goal.values()):
        return by_wish
    return {key: score + by_wish[key] / 2 if score else 0.0 for key, score in by_goal.items()}


def serving_topics(topics: Sequence[Topic], goal: str, wishes: Sequence[str]) -> list[Topic]:
    """Keep the topics whose relevance is near the best one, and all that comes before them.

    None meet it: all topics when the goal says nothing that could be met (no telling words, or another
    script than the catalogue's), else none.
    """
    scores = relevance(topics, goal, wishes)
    best = max(scores.values(), default=0.0)
    if best == 0:
        telling = any(word.isascii() for word in weights((goal, *wishes)))
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


def _at_level(topics: Sequence[Topic], current_level: Level) -> list[Topic]:
    """Leave out what lies below the learner's level, unless mastery shows a gap.

    Where nothing would stay, the level is taken one lower. A single topic is no path: what comes right
    before it stays with it.
    """
    stated = _LEVELS.index(current_level)
    kept: set[str] = set()
    for lowest in range(stated, -1, -1):
        kept = {topic.key for topic in topics if _belongs(topic, lowest, stated)}
        if kept:
            break
    if len(kept) == 1:
        kept.update(*(topic.prerequisites for topic in topics if topic.key in kept))
    return [topic for topic in topics if topic.key in kept]


def _belongs(topic: Topic, lowest: int, stated: int) -> bool:
    if topic.level is None or topic.level >= lowest:
        return True
    return topic.mastery is not None and (topic.mastery < WEAK or topic.level == stated - 1)


def _scores(topics: Sequence[Topic], vocabulary: frozenset[str], wanted: Mapping[str, float]) -> dict[str, float]:
    alike = alike_among(wanted, vocabulary)
    met = [(weight, alike[word]) for word, weight in wanted.items() if word in alike]
    return {topic.key: sum(weight * _match(topic, words) for weight, words in met) for topic in topics}


def _match(topic: Topic, words: frozenset[str]) -> float:
    if not words.isdisjoint(topic.words):
        return _IN_THE_CONCEPT
    return 0.0 if words.isdisjoint(topic.more_words) else _IN_A_DESCRIPTION
