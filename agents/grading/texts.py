"""Short answers as text: written in one way before they are compared."""

import re
import unicodedata

_MINUS = re.compile("[\u2010-\u2015\u2212\ufe63\uff0d]")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|mathit)\s*\{([^{}]*)\}")
_LATEX_SIGNS = {r"\times": "\u00d7", r"\cdot": "·", r"\leq": "≤", r"\geq": "≥", r"\neq": "≠", r"\pi": "π", r"\pm": "±"}
_LATEX_SPACE = re.compile(r"\\[,;:! ]|\\left|\\right|\\[()\[\]]|\$")
_EDGES = " \t\n.,;:!?\"'\u2018\u2019\u201c\u201d"
_FORMULA = re.compile("[\\d=+\u00d7·^/<>≤≥±√π]")
_MULTIPLICATION = re.compile("[\u00d7·]")


def one_way(text: str) -> str:
    """Write a short answer in one way: case, spaces, quotes at the edges, dashes and LaTeX do not count.

    In what looks like a formula no space counts at all.
    """
    text = _LATEX_FRACTION.sub(r"\1/\2", _LATEX_TEXT.sub(r"\1", _MINUS.sub("-", text)))
    for sign, character in _LATEX_SIGNS.items():
        text = re.sub(rf"{re.escape(sign)}(?![a-z])", character, text)
    text = unicodedata.normalize("NFKC", _LATEX_SPACE.sub(" ", text)).replace("\u2044", "/").casefold()
    text = " ".join(text.split()).strip(_EDGES)
    if _FORMULA.search(text):
        return _MULTIPLICATION.sub("*", text.replace(" ", ""))
    return text
