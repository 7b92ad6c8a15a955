"""The offline planner's sense of time: reads how much a learner has, and spreads a plan's steps over it."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_HOURS_PER_WEEK = 5.0
_LEAST_HOURS_PER_WEEK, _MOST_HOURS_PER_WEEK = 0.5, 50.0
_MOST_WEEKS = 104
_WEEKS_PER_MONTH = 52 / 12
_DAYS_PER_WEEK = 7
_LONGEST_TEXT = 400
_TEXTS_REMEMBERED = 1024

_NUMBER = r"(\d{1,6}(?:[.,]\d{1,3})?)(?:\s*(?:-|\u2013|to|or|bis|oder|à|a|y|o)\s*(\d{1,6}(?:[.,]\d{1,3})?))?"
_HOUR = r"(?:hours?|hrs?|h|stunden?|std|heures?|horas?|ore|ora|час\w*|小时|時間|시간)(?![^\W\d])"
_MINUTE = r"(?:min|mins|minutes?|minuten|minutos?|minuti|минут\w*|分钟|分|분)(?![^\W\d])"
_DAY = r"(?:days?|daily|tage?|täglich|jours?|días?|dias?|giorn\w+|день|дня|дней|天|日|일)(?![^\W\d])"
_WEEK = r"(?:weeks?|weekly|wks?|wochen?|wöchentlich|semaines?|semanas?|settimana|недел\w*|周|週|주)(?![^\W\d])"
_MONTH = r"(?:months?|monthly|monate?|monatlich|mois|mes|meses|mesi|месяц\w*|个月|ヶ月|か月|개월)(?![^\W\d])"
_PER = r"\s*(?:/|per|an?|each|every|pro|die|par|por|al|à la|a la|в)\s*"

_HOURS_AND_MINUTES = re.compile(rf"(\d{{1,3}})\s*(?:{_HOUR})?\s*(?:h|and|:)\s*(\d{{1,2}})\s*(?:{_MINUTE})?(?![\w])")
_DAYS_A_WEEK = re.compile(rf"{_NUMBER}\s*(?:x|times|mal|fois|veces|{_DAY}){_PER}{_WEEK}")
_EFFORT = re.compile(rf"{_NUMBER}\s*(?:({_HOUR})|({_MINUTE}))")
_SPAN = re.compile(rf"{_NUMBER}\s*(?:({_DAY})|({_WEEK})|({_MONTH}))")

_WORDS = {
    "half an hour": "30 minutes", "half hour": "30 minutes", "halbe stunde": "30 minutes",
    "demi-heure": "30 minutes", "media hora": "30 minutes", "an hour": "1 hour", "a couple of": "2",
    "a few": "3", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "twelve": "12", "eine": "1", "zwei": "2", "drei": "3",
    "vier": "4", "fünf": "5", "une": "1", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "una": "1",
    "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5",
}  # fmt: skip
_WORD = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in _WORDS))

# How many days a week a word means, and the hours on such a day when none are named.
_HABITS: tuple[tuple[re.Pattern[str], float, float], ...] = (
    (re.compile(r"full[ -]?time|vollzeit|plein temps|tiempo completo"), 5, 6.0),
    (re.compile(r"part[ -]?time|teilzeit|temps partiel|medio tiempo"), 5, 3.0),
    (re.compile(r"week[ -]?ends?|wochenenden?|fins? de semana|fine settimana|выходн\w*|周末|週末"), 2, 2.0),
    (re.compile(r"(?:week|work)[ -]?days?|werktag\w*|wochentag\w*|jours? ouvrables?|laborables?"), 5, 1.0),
    (re.compile(r"evenings?|nights?|mornings?|lunch|abends?|soirs?|noches|tardes"), 5, 1.0),
    (re.compile(_DAY), 7, 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTime:
    """Hours a week, and the number of weeks when the learner named one."""

    hours_per_week: float = DEFAULT_HOURS_PER_WEEK
    weeks: float | None = None


def parse_study_time(text: str) -> StudyTime:
    """Read "2 hours/day", "5h per week", "weekends", "4 weeks" and their like in several languages.

    What says nothing about time ("flexible", nonsense) is five hours a week. Always within 0.5 to 50 hours a
    week and 104 weeks.
    """
    return _study_time(text[:_LONGEST_TEXT])


@lru_cache(maxsize=_TEXTS_REMEMBERED)
def _study_time(text: str) -> StudyTime:
    text = _WORD.sub(lambda found: _WORDS[found[0]], unicodedata.normalize("NFKC", text).casefold())
    hours, text = _take_effort(text)
    days_a_week, text = _take(_DAYS_A_WEEK, text)
    weeks, text = _take_span(text)
    per_week = _hours_per_week(hours, days_a_week, weeks, text)
    return StudyTime(
        hours_per_week=min(max(per_week, _LEAST_HOURS_PER_WEEK), _MOST_HOURS_PER_WEEK),
        weeks=None if weeks is None else min(max(weeks, 1 / _DAYS_PER_WEEK), _MOST_WEEKS),
    )


def parse_hours(text: str) -> float | None:
    """Read a duration such as "45 min" or "1.5 hours"; None when there is none."""
    return _take_effort(unicodedata.normalize("NFKC", text[:100]).casefold())[0]


def days_for(hours: Sequence[float], time: StudyTime) -> list[int]:
    """Spread steps of so many `hours` over days: at least one each, in whole weeks where there are enough."""
    if time.weeks is not None:
        total = round(time.weeks * _DAYS_PER_WEEK)
    else:
        total = math.ceil(sum(hours) / time.hours_per_week * _DAYS_PER_WEEK)
        if total > 2 * _DAYS_PER_WEEK:
            total = math.ceil(total / _DAYS_PER_WEEK) * _DAYS_PER_WEEK
    total = max(total, len(hours))
    if total % _DAYS_PER_WEEK == 0 and total // _DAYS_PER_WEEK >= len(hours):
        return [weeks * _DAYS_PER_WEEK for weeks in _share_out(total // _DAYS_PER_WEEK, hours)]
    return _share_out(total, hours)


def say_days(days: int) -> str:
    """Put a number of days as a person would: "5 days", "2 weeks", "1 week 3 days"."""
    weeks, rest = divmod(days, _DAYS_PER_WEEK)
    parts = [_count(weeks, "week")] if weeks else []
    if rest or not weeks:
        parts.append(_count(rest, "day"))
    return " ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Split `total` into whole numbers by weight, as near as can be with at least 1 each."""
    exact = [total * weight / sum(weights) for weight in weights]
    shares = [max(int(share), 1) for share in exact]
    places = range(len(shares))
    while (missing := total - sum(shares)) > 0:
        shares[max(places, key=lambda place: exact[place] - shares[place])] += 1
    for _ in range(-missing):
        shares[max((p for p in places if shares[p] > 1), key=lambda place: shares[place] - exact[place])] -= 1
    return shares


def _hours_per_week(hours: float | None, days_a_week: float | None, weeks: float | None, text: str) -> float:
    """Combine the hours named with how often they are meant; `text` is what is left without the numbers."""
    habit = next(((days, usual) for pattern, days, usual in _HABITS if pattern.search(text)), None)
    if days_a_week is not None:
        return min(days_a_week, _DAYS_PER_WEEK) * (hours or 1.0)
    if hours is None:
        return habit[0] * habit[1] if habit else DEFAULT_HOURS_PER_WEEK
    if habit is not None:
        return habit[0] * hours
    if re.search(_MONTH, text):
        weeks = _WEEKS_PER_MONTH
    elif re.search(_WEEK, text):
        weeks = 1
    elif weeks is None:  # "30 minutes" are a day's, "4 hours" a week's
        weeks = 1 / _DAYS_PER_WEEK if hours < 1 else 1
    return hours / weeks


def _take_effort(text: str) -> tuple[float | None, str]:
    """Take the first amount of hours or minutes out of the text."""
    if (both := _HOURS_AND_MINUTES.search(text)) is not None:
        return int(both[1]) + int(both[2]) / 60, text[: both.start()] + " " + text[both.end() :]
    if (found := _EFFORT.search(text)) is None:
        return None, text
    hours = _number(found) / (1 if found[3] else 60)
    return hours or None, text[: found.start()] + " " + text[found.end() :]


def _take_span(text: str) -> tuple[float | None, str]:
    """Take the first "4 weeks", "10 days" or "3 months" out of the text, in weeks."""
    if (found := _SPAN.search(text)) is None:
        return None, text
    unit = 1 / _DAYS_PER_WEEK if found[3] else 1.0 if found[4] else _WEEKS_PER_MONTH
    return _number(found) * unit or None, text[: found.start()] + " " + text[found.end() :]


def _take(pattern: re.Pattern[str], text: str) -> tuple[float | None, str]:
    if (found := pattern.search(text)) is None:
        return None, text
    return _number(found) or None, text[: found.start()] + " " + text[found.end() :]


def _number(found: re.Match[str]) -> float:
    """Read the first two groups: a number, or the middle of a range."""
    numbers = [float(group.replace(",", ".")) for group in found.group(1, 2) if group]
    return sum(numbers) / len(numbers)
