"""`pathstream demo`: the whole job in one command, with nothing installed."""

import asyncio
import json
import re
import signal

from consumers.demo import LEARNERS
from tests.integration.terminal import NOBODY_LISTENS, pathstream, started


async def test_the_demo_shows_paths_and_ends_well() -> None:
    result = await pathstream(NOBODY_LISTENS, "demo")
    assert (result.code, result.err) == (0, "")
    for learner, (goal, *_) in LEARNERS.items():
        assert f"{learner}: {goal}" in result.out
    assert "INVALID_EVENT" in result.out
    assert "katherine: exam" in result.out
    assert "4 of 6 marks, 66.66 %: B" in result.out
    assert re.fullmatch(
        r"5 learning paths, 1 graded exam and 1 dead letter in [\d.]+ s: all as expected", result.out.splitlines()[-1]
    )


async def test_the_demo_that_stays_up_can_be_used_by_hand() -> None:
    async with started(NOBODY_LISTENS, "demo", "--keep") as process:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            while b"kafka-console-consumer" not in (line := await process.stdout.readline()):
                assert line
        bootstrap_servers = line.decode().split("--bootstrap-server ")[1].split()[0]
        tail = await pathstream(bootstrap_servers, "tail", "learning_path", "--from-beginning", "--json", "--max", "5")
        assert {json.loads(line)["key"] for line in tail.out.splitlines()} == set(LEARNERS)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (0, b"")
