"""Reading how much time a learner has, and spreading steps over it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.llm.study_time import StudyTime, days_for, parse_study_time, say_days


def days_in(text: str) -> int:
    """Read `say_days` back."""
    counts = {unit: int(number) for number, unit in re.findall(r"(\d+) (week|day)s?", text)}
    return counts.get("week", 0) * 7 + counts.get("day", 0)


@pytest.mark.parametrize(
    ("text", "hours", "weeks"),
    [
        ("2 hours/day", 14, None),
        ("5h per week", 5, None),
        ("30 minutes a day", 3.5, None),
        ("1h30 per day", 10.5, None),
        ("2-3 hours/week", 2.5, None),
        ("weekends", 4, None),
        ("3 hours on weekends", 6, None),
        ("2 hours a day, 5 days a week", 10, None),
        ("4 weeks", 5, 4),
        ("2 hours/day for 3 weeks", 14, 3),
        ("20 hours in 4 weeks", 5, 4),
        ("10 hours a month", 120 / 52, None),
        ("eine Stunde täglich", 7, None),
        ("3 heures par semaine", 3, None),
        ("1 hora al día", 7, None),
        ("2 часа в день", 14, None),
        ("每天2小时", 14, None),
        ("full-time", 30, None),
        ("flexible", 5, None),
        ("", 5, None),
        ("purple 💥", 5, None),
        ("999999 weeks", 5, 104),
    ],
)
def test_reads_how_much_time_there_is(text: str, hours: float, weeks: float | None) -> None:
    time = parse_study_time(text)

    assert time.hours_per_week == pytest.approx(hours)
    assert time.weeks == weeks


@given(
    st.lists(st.floats(0.5, 40), min_size=1, max_size=12),
    st.floats(0.5, 50),
    st.none() | st.floats(1 / 7, 104),
)
def test_days_are_shared_out_in_full(hours: list[float], per_week: float, weeks: float | None) -> None:
    days = days_for(hours, StudyTime(hours_per_week=per_week, weeks=weeks))

    assert len(days) == len(hours)
    assert min(days) >= 1
    assert [days_in(say_days(share)) for share in days] == days
