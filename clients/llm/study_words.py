"""The offline planner's sense of language: which words of a text carry meaning, and which mean the same."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache

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
_TEXTS_REMEMBERED = 4096  # catalogues repeat from learner to learner
_FIRST_CJK = "⺀"


@lru_cache(maxsize=_TEXTS_REMEMBERED)
def tokens(text: str) -> tuple[str, ...]:
    """Return a text's words in lower case, each once, in order; CJK text in pairs of characters."""
    found: dict[str, None] = {}
    for word in re.findall(r"[^\W_]+[+#]*", unicodedata.normalize("NFKC", text).casefold()):
        if any(char >= _FIRST_CJK for char in word):
            latin = re.findall(r"[a-z0-9]+", word)
            rest = re.sub(r"[a-z0-9]+", "", word)
            pairs = [rest[place : place + 2] for place in range(max(len(rest) - 1, 1))]
            found.update(dict.fromkeys([*latin, *pairs]))
        else:
            found[word] = None
        if len(found) >= _MOST_TOKENS:
            break
    return tuple(found)[:_MOST_TOKENS]


def weights(texts: Iterable[str]) -> dict[str, float]:
    """Return the words that say what texts are about and how much: common ones less, fillers not at all."""
    words = [word for text in texts for word in tokens(text)]
    return {
        word: _WEAK if word in _WEAK_WORDS else 1.0
        for word in words
        if word not in _STOP_WORDS and (len(word) > 1 or word in ("c", "r"))
    }


class Vocabulary:
    """The words of a catalogue, found by meaning enough: equal, or the same beginning (analyst, analysis)."""

    def __init__(self, words: Iterable[str]) -> None:
        self._by_start: dict[str, list[str]] = defaultdict(list)
        self._words = frozenset(words)
        for word in self._words:
            self._by_start[word[:_STEM_CHARS]].append(word)

    def like(self, word: str) -> Collection[str]:
        """Return the catalogue's words that mean the same as `word`."""
        alike = {word} & self._words
        if len(word) >= _STEM_CHARS:
            alike |= {other for other in self._by_start[word[:_STEM_CHARS]] if _same_stem(word, other)}
        return alike


def _same_stem(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if shorter == longer or (len(shorter) == _STEM_CHARS and len(longer) - len(shorter) > 1):
        return shorter == longer
    common = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(shorter))
    return common >= max(_STEM_CHARS, _STEM_SHARE * len(longer))
