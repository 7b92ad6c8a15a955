"""From what is in Kafka and in the ledger at the end to the verdict, and how it is printed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.chaos import job
from tests.chaos.changelog import journaled, remains_of
from tests.chaos.check import (
    KINDS,
    Complaint,
    Progress,
    Result,
    check_progress,
    check_receipts,
    check_results,
    check_state,
)
from tests.chaos.kafka import read_all, read_json
from tests.chaos.load import EventName, PlannedEvent
from tests.chaos.repeats import Call, Kept, Repeat

_SHOWN = 20
_TRACES = ("Traceback (most recent call last)", '"exception":', "was never awaited", "was never retrieved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a run: complaints about what came out, and problems of the run itself."""

    complaints: Sequence[Complaint]
    problems: Sequence[str]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints and not self.problems

    @property
    def lines(self) -> list[str]:
        """Problems, some complaints of each kind, and the counts of all."""
        counts = Counter(complaint.kind for complaint in self.complaints)
        shown = [c for kind in KINDS for c in [c for c in self.complaints if c.kind == kind][:_SHOWN]]
        return [
            *(f"PROBLEM {problem}" for problem in self.problems),
            *(f"{complaint.kind}: {complaint.what}" for complaint in shown),
            " ".join(f"{kind}={counts[kind]}" for kind in KINDS),
        ]


def check_input(servers: str, events: Sequence[PlannedEvent]) -> list[str]:
    """What the input holds that was not sent, or holds not: then nothing else says anything."""
    planned = Counter((event.way.key, event.value) for event in events)
    there = Counter((m.key() and m.key().decode(), m.value()) for m in read_all(servers, job.INPUT))
    wrong = [*(planned - there), *(there - planned)]
    lines = [f"in the input {record} stands {there[record]} times, not {planned[record]}" for record in wrong[:_SHOWN]]
    return lines if len(wrong) <= _SHOWN else [*lines, f"... and {len(wrong) - _SHOWN} more records of the input"]


def judge(servers: str, events: Sequence[PlannedEvent], calls: Sequence[Call]) -> tuple[list[Complaint], Kept]:
    """Read all topics to their ends and hold them against what had to come out; gives also what they hold."""
    results = [
        Result(EventName(r["learner"], r["n"]), partition, (r["count"], r["hash"]), r["receipts"])
        for partition, r in read_json(servers, job.RESULTS)
    ]
    progress = [
        Progress(EventName(r["learner"], r["n"]), r["step"], r["receipt"]) for _, r in read_json(servers, job.PROGRESS)
    ]
    changes = [(message.key(), message.value()) for message in read_all(servers, job.STATE)]
    remains = remains_of(changes)
    paid = {call.id: (call.event, call.step) for call in calls}
    longs = {event.name for event in events if event.long}
    letters = [message.value() for message in read_all(servers, job.DEAD_LETTERS)]
    ids = {*journaled(changes), *(p.receipt for p in progress), *(n for r in results for n in r.receipts.values())}
    complaints = [
        *check_results(events, results),
        *check_progress(events, progress),
        *check_state(results, remains),
        *check_receipts(results, progress, paid, longs),
        *(Complaint("lost", f"a dead letter: {letter!r}") for letter in letters),
    ]
    return complaints, Kept(ids, {result.event.learner: result.partition for result in results})


def count_repeats(repeats: Iterable[Repeat]) -> str:
    """How many there are of each class."""
    counts = Counter(repeat.why or "unexplained" for repeat in repeats)
    return ", ".join(f"{count} {why}" for why, count in sorted(counts.items())) or "none"


def show_repeat(repeat: Repeat, start: float) -> str:
    """One line: which call, when and by whom, when again and by whom, and which fault explains it."""
    earlier, later, fault = repeat.earlier, repeat.later, repeat.fault
    times = f"{earlier.begun - start:.3f}-{earlier.ended - start:.3f} s by {earlier.worker}"
    again = f"again {later.begun - start:.3f}-{later.ended - start:.3f} s by {later.worker}"
    kept = "kept" if repeat.kept else "not kept"
    if fault is None:
        return f"{earlier.event} {earlier.step} at {times} ({kept}), {again}: no fault explains it"
    where = f"{fault.begin - start:.3f}-{fault.end - start:.3f} s"
    cause = f"fault {fault.number} {fault.kind} {where}: {repeat.why}"
    return f"{earlier.event} {earlier.step} at {times} ({kept}), {again}: {cause}"


def traces_in(name: str, log: str) -> list[str]:
    """What a worker printed that no worker should print."""
    return [f"{name} printed: {line[:300]}" for line in log.splitlines() if any(trace in line for trace in _TRACES)]
