"""When a task's next commit is due, and from when on one is overdue."""

import math

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.pace import Pace

INTERVAL, PATIENCE = 0.1, 1.0
ROUNDING = 1e-9

times_taken = st.lists(st.floats(0.0, 20.0), max_size=50)


def after(commits: list[float]) -> tuple[Pace, float]:
    """The pace after commits that took so many seconds, one after the other, and the time by then."""
    pace, now = Pace(interval_seconds=INTERVAL, patience_seconds=PATIENCE), 100.0
    for took in commits:
        pace.began(now)
        now += took
        pace.ended(now)
    return pace, now


def ages_of_results(pace: Pace, took: float) -> float:
    """How old the oldest result is when its commit is through, if results come all the time."""
    pace.began(100.0)
    pace.ended(100.0 + took)
    return max(pace.due_at - 100.0, took) + took


def test_what_finishes_is_committed_within_an_interval_while_commits_take_less_than_half_of_it() -> None:
    for took in (0.001, 0.01, 0.03, 0.048):
        pace, _ = after([took] * 100)
        assert ages_of_results(pace, took) <= INTERVAL + 0.001


def test_commits_are_as_far_apart_as_they_may_be() -> None:
    pace, now = after([0.01] * 100)
    pace.began(now)
    assert math.isclose(pace.due_at - now, INTERVAL - 0.01, abs_tol=0.001)


def test_a_silent_broker_is_noticed_soon_where_commits_are_quick_and_a_busy_one_is_given_its_time() -> None:
    quick, now = after([0.01] * 100)
    quick.began(now)
    assert quick.overdue_at - now < 2 * INTERVAL
    busy, now = after([0.2] * 100)
    busy.began(now)
    assert 0.8 < busy.overdue_at - now < PATIENCE


def test_slow_commits_are_an_interval_apart() -> None:
    pace, now = after([0.07] * 100)
    pace.began(now)
    assert math.isclose(pace.due_at - now, INTERVAL)


@given(times_taken)
def test_a_commit_is_overdue_at_some_time_between_an_interval_and_the_patience(commits: list[float]) -> None:
    pace, now = after(commits)
    assert pace.overdue_at == math.inf
    pace.began(now)
    assert INTERVAL - ROUNDING <= pace.overdue_at - now <= PATIENCE + ROUNDING
    assert INTERVAL / 2 - ROUNDING <= pace.due_at - now <= INTERVAL + ROUNDING


@given(times_taken, st.integers(1, 5))
def test_after_a_failure_none_is_overdue_until_one_gets_through(commits: list[float], failures: int) -> None:
    pace, now = after(commits)
    for _ in range(failures):
        pace.began(now)
        pace.failed()
        pace.began(now)
        assert pace.overdue_at == math.inf
    pace.ended(now)
    pace.began(now)
    assert pace.overdue_at < math.inf


def test_an_outage_does_not_become_usual_and_longer_commits_do() -> None:
    pace, now = after([0.01] * 100)
    pace.began(now)
    bound = pace.overdue_at - now
    pace.ended(now + 10.0)
    pace.began(now)
    assert pace.overdue_at - now < 1.5 * bound
    slower, now = after([*[0.01] * 100, *[0.15] * 50])
    slower.began(now)
    assert slower.overdue_at - now > 4 * 0.14
