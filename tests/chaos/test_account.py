"""What a fault's account says of its victims."""

import math
from pathlib import Path

import pytest

from tests.chaos.account import Account
from tests.chaos.fleet import Worker
from tests.chaos.proxy import Link
from tests.disk import Folder


@pytest.fixture
def workers(tmp_path: Path) -> list[Worker]:
    return [Worker(n, Link(0, 0), Folder(tmp_path), tmp_path, {"HTTP_PORT": "0"}) for n in range(2)]


@pytest.fixture
def account() -> Account:
    return Account(number=1, kind="cut_network", say=lambda _whom: None)


def test_who_was_cut_off_too_briefly_is_no_victim(account: Account, workers: list[Worker]) -> None:
    account.strike("both", blinds=workers)
    account.mend(spares=lambda name, seconds: name == "w0.0" and seconds < 10)
    assert account.span(math.inf, session=3.0).blind == {"w1.0"}


def test_a_victim_has_to_know_within_a_session_timeout_and_before_all_is_well(
    account: Account, workers: list[Worker]
) -> None:
    account.strike("one", blinds=workers[:1], overtaken=True)
    account.mend()
    late, soon = account.span(math.inf, session=3.0), account.span(account.begin + 1, session=3.0)
    assert account.begin + 3 <= late.known_by < account.begin + 4
    assert soon.known_by == soon.end
    assert late.overtaken


def test_a_victim_is_the_process_that_was_struck_and_not_the_next_one(account: Account, workers: list[Worker]) -> None:
    account.strike("one", kills=workers[:1])
    workers[0]._starts += 1
    assert account.span(math.inf, session=3.0).killed == {"w0.0"}
