"""`pathstream demo`: the whole job in one command, with nothing installed."""

import asyncio
import json
import re
import signal
from pathlib import Path

from consumers.demo import LEARNERS
from consumers.demo_exam import STUDENT
from tests.exams import submission_json
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


async def test_an_exam_handed_in_by_hand_is_graded_by_the_demo(tmp_path: Path) -> None:
    exam = tmp_path / "exam.json"
    exam.write_text(json.dumps(submission_json("national_5_mathematics"), indent=1))
    async with started(NOBODY_LISTENS, "demo", "--keep") as process:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            while b"kafka-console-consumer" not in (line := await process.stdout.readline()):
                assert line
        bootstrap_servers = line.decode().split("--bootstrap-server ")[1].split()[0]
        sent = await pathstream(bootstrap_servers, "produce", "exam_submitted", str(exam))
        tail = await pathstream(bootstrap_servers, "tail", "evaluation", "--from-beginning", "--json", "--max", "2")
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 20)
    assert sent.out == "1 sent to exam_submitted\n"
    evaluations = {entry["key"]: entry["value"] for entry in map(json.loads, tail.out.splitlines())}
    assert set(evaluations) == {STUDENT, "student-sub-n5-maths-1"}
    assert all(evaluation["status"] == "completed" for evaluation in evaluations.values())


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
