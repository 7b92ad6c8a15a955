"""The offline planner's sense of language: which words of a text carry meaning, and which mean the same."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

_STOP_WORDS = frozenset(
    """
    a able about after all also am an and any are as at be because become becoming been before being better
    but by can could course do for from get getting give go goal good great have help how i if improve in into
    is it job just know knowledge learn learner learning lesson level like ll make master me more my need new
    no of on or our out part please really resource resources skill skills so some start step studies study
    studying teach that the their them then there these they this time to topic topics training understand up
    us use using ve very want was way we well what when where which who why will wish with work working would
    you your
    aprender apprendre avec con de del der des die das den dem ein eine el en est et fur für ich il je la las
    le les lernen los me mi möchte moi mon para pour quiero s será si su sur un una und une veux wie zu zum
    я хочу изучить выучить научиться как на в и по
    """.split()  # noqa: SIM905
)
_WEAK_WORDS = frozenset(
    """
    advanced analysis app apps application applications basic basics beginner beginners building class
    concept concepts data design develop developer developing development engineer engineering expert exercise
    exercises fundamentals guide intermediate intro introduction management practice practical professional
    program programmer programming project projects science software system systems technology theory tools
    tutorial tutorials video videos
    """.split()  # noqa: SIM905
)
_WEAK = 0.3
_STEM_CHARS = 4
_STEM_SHARE = 0.7
_MOST_TOKENS = 400
_GOALS_REMEMBERED = 1024
_NAMES_REMEMBERED = 16_384  # concepts of resources and of mastery: they repeat from learner to learner
_FIRST_CJK = "⺀"
_WORD = re.compile(r"[^\W_]+[+#]*")
_LATIN = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME_PART = re.compile(r"[^\W_]+|[+#]+")


def tokens(text: str) -> tuple[str, ...]:
    """Return a text's words in lower case, each once, in order; CJK text in pairs of characters."""
    found: dict[str, None] = {}
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if max(word) >= _FIRST_CJK:
            latin = _LATIN.findall(word)
            rest = _LATIN.sub("", word)
            pairs = [rest[place : place + 2] for place in range(max(len(rest) - 1, 1))]
            found.update(dict.fromkeys([*latin, *pairs]))
        else:
            found[word] = None
        if len(found) >= _MOST_TOKENS:
            break
    return tuple(found)[:_MOST_TOKENS]


@lru_cache(maxsize=_GOALS_REMEMBERED)
def weights(texts: tuple[str, ...]) -> Mapping[str, float]:
    """Return the words that say what texts are about and how much: common ones less, fillers not at all."""
    words = [word for text in texts for word in tokens(text)]
    return MappingProxyType(
        {
            word: _WEAK if word in _WEAK_WORDS else 1.0
            for word in words
            if word not in _STOP_WORDS and (len(word) > 1 or word in ("c", "r"))
        }
    )


@lru_cache(maxsize=_NAMES_REMEMBERED)
def normalised(text: str) -> str:
    """Write a concept so that `Python_Functions`, `python-functions` and `python functions` are one."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", text))
    return " ".join(_NAME_PART.findall(spaced.casefold())) or text.strip().casefold()


def alike_among(wanted: Iterable[str], vocabulary: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the words of `vocabulary` that mean a wanted word, without the wanted words that none means.

    Meaning enough: equal, or the same beginning (analyst, analysis).
    """
    by_start: dict[str, list[str]] = {word[:_STEM_CHARS]: [] for word in wanted}
    for word in vocabulary:
        if (start := word[:_STEM_CHARS]) in by_start:
            by_start[start].append(word)
    alike = {
        word: frozenset(other for other in by_start[word[:_STEM_CHARS]] if _same_meaning(word, other))
        for word in wanted
    }
    return {word: others for word, others in alike.items() if others}


def _same_meaning(one: str, other: str) -> bool:
    return one == other or (len(one) >= _STEM_CHARS and _same_stem(one, other))


def _same_stem(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if shorter == longer or (len(shorter) == _STEM_CHARS and len(longer) - len(shorter) > 1):
        return shorter == longer
    common = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(shorter))
    return common >= max(_STEM_CHARS, _STEM_SHARE * len(longer))
