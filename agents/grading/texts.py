"""Short answers as text: written in one way before they are compared."""

import re
import unicodedata

_MINUS = re.compile("[\u2010-\u2015\u2212\ufe63\uff0d]")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|mathit)\s*\{([^{}]*)\}")
_LATEX_SIGNS = {r"\times": "\u00d7", r"\cdot": "·", r"\leq": "≤", r"\geq": "≥", r"\neq": "≠", r"\pi": "π", r"\pm": "±"}
_LATEX_SPACE = re.compile(r"\\[,;:! ]|\\left|\\right|\\[()\[\]]|\$")
_EDGES = " \t\n.,;:!?\"'\u2018\u2019\u201c\u201d"
_VULGAR = re.compile("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_POWER = re.compile("(?<=\\d)([⁺⁻]?[⁰¹²³⁴-⁹]+)")
_BARE_POINT = re.compile(r"(?<![\d.])\.(?=\d)")
_SPACE = re.compile(r"(?<!\d) | (?!\d)")
_FORMULA = re.compile("[\\d=+\u00d7·^/<>≤≥±√π]")
_MULTIPLICATION = re.compile("[\u00d7·]")


def one_way(text: str) -> str:
    """Write a short answer in one way: case, spaces, quotes at the edges, dashes and LaTeX do not count.

    In what looks like a formula no space counts but those between digits: 1 1/2 is not 11/2, as 2³ is not 23.
    """
    text = _LATEX_FRACTION.sub(r" \1/\2", _LATEX_TEXT.sub(r"\1", _MINUS.sub("-", text)))
    for sign, character in _LATEX_SIGNS.items():
        text = re.sub(rf"{re.escape(sign)}(?![a-z])", character, text)
    text = _POWER.sub(r"^\1", _VULGAR.sub(" ", _LATEX_SPACE.sub(" ", text)))
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").replace("\u2212", "-").casefold()
    text = _BARE_POINT.sub("0.", " ".join(text.split())).strip(_EDGES)
    if _FORMULA.search(text):
        return _MULTIPLICATION.sub("*", _SPACE.sub("", text))
    return text
