"""Numbers as students and exam authors write them: fractions, LaTeX, Unicode minus, units; compared within ±0.001."""

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

TOLERANCE = Fraction(1, 1000)
"""Absolute, inclusive (seed 003)."""

_LONGEST = 200
_LARGEST_EXPONENT = 100
_MINUS = re.compile("[\u2010-\u2015\u2212\ufe63\uff0d]")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([^{}]+?)\s*\}\s*\{\s*([^{}]+?)\s*\}")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_TIMES = re.compile(r"\\times|\\cdot|[\u00d7\u00b7*]")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(r"10\s*(?:\^\s*\{?\s*([+-]?\d{1,3})\s*\}?|([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))")
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm)\s*\{([^{}]*)\}")
_CURRENCY = re.compile("[£€]")
_DECORATION = re.compile(r"\\[,;:!() ]|\\left|\\right|[$£€{}~]|\\(?=%)|\\circ|°")
_GROUPED = re.compile(
    r"(?<![\d.,])[1-9]\d{0,2}([, \u00a0\u202f])\d{3}(?:\1\d{3})*(?!\d|\1\d)"
    r"|(?<=\d\.)\d{3}(?:[ \u00a0\u202f]\d{3})+(?!\d)"
)
"""1,234,567 and 0.123 456; not 0,125 and not 1234,567."""
_NAME = re.compile(r"^\s*([A-Za-z]\w{0,10})\s*=\s*")
_PLAIN = r"(\d+(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"^\s*([+-]?)\s*(?:(\d+)\s+(?=\d+\s*/))?{_PLAIN}(?:[eE]([+-]?\d{{1,3}}))?"
    rf"(?:\s*/\s*{_PLAIN})?(?:\s*x?\s*@([+-]?\d+))?\s*(.*)$"
)
_UNIT = re.compile(
    r"(?:%|[A-Za-z\u00b5\u03a9]{1,15}\.?(?:\s*/\s*[A-Za-z]{1,10})?(?:\s*\^?\s*-?[1-3\u00b2\u00b3])?)?\.?"
)


class Number(NamedTuple):
    """A number as it is written: the name before it (`x = `) and the unit after it, both empty for none."""

    value: Fraction
    name: str = ""
    unit: str = ""


def number_in(text: str) -> Number | None:
    """Read a text that is one number, perhaps with a name before (`x = `) and a unit after it; else None.

    Percent signs and units are not converted: 50 % is 50. A comma that groups digits as in 1,234 does that, another one
    is a decimal point: 0,125 and 1234,5.
    """
    if len(text) > _LONGEST:
        return None
    plain = _plain(text)
    named = _NAME.match(plain)
    found = _NUMBER.match(_digits(plain[named.end() :] if named else plain))
    if found is None or not _UNIT.fullmatch(found[7].strip()) or (value := _value(found)) is None:
        return None
    unit = "".join([*_CURRENCY.findall(text), *found[7].split()]).removesuffix(".")
    return Number(value, named[1] if named else "", unicodedata.normalize("NFKC", unit.replace("^", "")))


def _value(found: re.Match[str]) -> Fraction | None:
    sign, whole, digits, exponent, divisor, power, _ = found.groups()
    value = Fraction(Decimal(digits))
    if divisor is not None:
        if not (below := Fraction(Decimal(divisor))):
            return None
        value /= below
    value += int(whole or 0)
    shift = int(exponent or 0) + int(power or 0)
    if abs(shift) > _LARGEST_EXPONENT:
        return None
    return (-value if sign == "-" else value) * Fraction(10) ** shift


def same_number(one: Fraction, other: Fraction) -> bool:
    """Whether two numbers are equal within the tolerance."""
    return abs(one - other) <= TOLERANCE


def exact(value: float) -> Fraction:
    """The decimal number that was sent, not its neighbour in binary."""
    return Fraction(Decimal(repr(value)))


def _plain(text: str) -> str:
    """Write a number in one way: `-`, `/`, and `@n` for a power of ten."""
    text = _MINUS.sub("-", text)
    text = _LATEX_FRACTION.sub(r" \1/\2", _LATEX_TEXT.sub(r" \1 ", text))
    text = _VULGAR.sub(lambda found: f" {unicodedata.normalize('NFKC', found[0])}", text).replace("\u2044", "/")
    return _TIMES.sub("x", _POWER.sub(_power, _DECORATION.sub(" ", text)))


def _digits(text: str) -> str:
    """Write the digits in one way: nothing groups them, a point is before decimals, a power of ten has a factor."""
    text = re.sub(r"^(\s*[+-]?\s*)@", r"\g<1>1x@", text)
    return re.sub(r"(?<=\d),(?=\d)", ".", _GROUPED.sub(lambda found: re.sub(r"\D", "", found[0]), text))


def _power(found: re.Match[str]) -> str:
    exponent = found[1] or found[2].translate(_SUPERSCRIPTS)
    return f"@{exponent} "
