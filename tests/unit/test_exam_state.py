"""What is remembered of a student's exams, and for how long."""

from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from agents.grading.agent import BatchResult
from clients.clock import FakeClock
from consumers.engine.state import StateMap
from consumers.engine.table import Table
from consumers.exam.state import Answered, ExamState
from schemas.submission import ExamSubmission
from tests.exams import made_exam
from tests.unit.dict_store import DictStore

SUSPENDED = Answered(status="partial", revision=1, attempts={"a": 2})
DONE = Answered(status="completed", revision=2)
BATCH = BatchResult(feedback=[], warnings=["w"], generated_by="offline")


class Student:
    """One student's state over many events, each committed at its end."""

    def __init__(self, max_bytes: int = 2**20) -> None:
        self.store = DictStore()
        self.clock = FakeClock()
        self.max_bytes = max_bytes
        self._table = Table(TopicPartition("state", 0), self.store)
        self._writes: dict[bytes, bytes | None] = {}

    def state(self, name: str, model: type[Any]) -> StateMap[Any]:
        """As a context gives it."""
        return StateMap(self._table, self._writes, name=name, learner="s1", model=model, max_bytes=self.max_bytes)

    def exams(self) -> ExamState:
        return ExamState(self, self.clock)

    def commit(self) -> None:
        for key, value in self._writes.items():
            self._table.put(key, value)
        self._writes.clear()
        self._table.begin()
        self._table.confirm(None)
        self._table.save()


@pytest.fixture
def student() -> Student:
    return Student()


def submission(name: str) -> ExamSubmission:
    content = made_exam([("a", "mcq", 1)]) | {"submission_id": name, "attempt_id": f"att-{name}"}
    return ExamSubmission.model_validate(content)


def test_graded_batches_are_kept_for_seven_days_and_no_longer(student: Student) -> None:
    student.exams().suspend(submission("one"), SUSPENDED, {"grade:1": BATCH})
    student.commit()

    student.clock.advance(timedelta(days=7).total_seconds())
    assert student.exams().kept_batches("one") == {"grade:1": BATCH}
    student.clock.advance(1)
    assert student.exams().kept_batches("one") == {}


def test_what_is_too_old_is_removed_by_the_students_next_exam(student: Student) -> None:
    student.exams().suspend(submission("one"), SUSPENDED, {"grade:1": BATCH, "grade:2": BATCH})
    student.commit()
    student.clock.advance(timedelta(days=8).total_seconds())
    student.exams().settle(submission("two"), DONE)
    student.commit()

    assert not any(b"grade:" in key for key in student.store.values)
    assert student.exams().answered("one") == SUSPENDED


def test_nothing_is_kept_of_what_is_complete(student: Student) -> None:
    student.exams().suspend(submission("one"), SUSPENDED, {"grade:1": BATCH})
    student.exams().suspend(submission("two"), SUSPENDED, {"grade:1": BATCH})
    student.commit()
    student.exams().settle(submission("one"), DONE)
    student.commit()

    assert student.exams().kept_batches("one") == {}
    assert student.exams().kept_batches("two") == {"grade:1": BATCH}
    assert sum(b"grade:" in key for key in student.store.values) == 1
    assert student.exams().answered("one") == DONE


def test_an_attempt_belongs_to_the_submission_that_it_was_graded_for(student: Student) -> None:
    student.exams().settle(submission("wrong"), Answered(status="rejected", revision=1))
    student.exams().suspend(submission("failed"), Answered(status="failed", revision=1), {})
    student.exams().suspend(submission("partly"), SUSPENDED, {"grade:1": BATCH})
    student.exams().settle(submission("whole"), DONE)
    student.commit()

    owners = {
        name: student.exams().attempt_graded_for(f"att-{name}") for name in ("wrong", "failed", "partly", "whole")
    }
    assert owners == {"wrong": None, "failed": None, "partly": "partly", "whole": "whole"}


def test_a_batch_too_large_for_state_is_not_kept_and_costs_no_other(student: Student) -> None:
    large = BATCH.model_copy(update={"warnings": ["w" * 2_000]})
    student.max_bytes = 1_500
    student.exams().suspend(submission("one"), SUSPENDED, {"grade:1": large, "grade:2": BATCH})
    student.commit()

    assert student.exams().kept_batches("one") == {"grade:2": BATCH}
