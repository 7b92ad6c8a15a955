"""From what is in Kafka and in the ledger at the end to the verdict, and how it is printed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.chaos import job
from tests.chaos.changelog import remains_of
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
from tests.chaos.repeats import Call, Repeat, Span, find_repeats

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
    wrong = [*((planned - there).items()), *((there - planned).items())]
    return [f"in the input {record} stands {there[record]} times, not {planned[record]}" for record, _ in wrong]


def judge(servers: str, events: Sequence[PlannedEvent], calls: Sequence[Call]) -> list[Complaint]:
    """Read all topics to their ends and hold them against what had to come out."""
    results = [
        Result(EventName(r["learner"], r["n"]), partition, (r["count"], r["hash"]), r["receipts"])
        for partition, r in read_json(servers, job.RESULTS)
    ]
    progress = [
        Progress(EventName(r["learner"], r["n"]), r["step"], r["receipt"]) for _, r in read_json(servers, job.PROGRESS)
    ]
    remains = remains_of((message.key(), message.value()) for message in read_all(servers, job.STATE))
    paid = {call.id: (call.event, call.step) for call in calls}
    longs = {event.name for event in events if event.long}
    letters = [message.value() for message in read_all(servers, job.DEAD_LETTERS)]
    return [
        *check_results(events, results),
        *check_progress(events, progress),
        *check_state(results, remains),
        *check_receipts(results, progress, paid, longs),
        *(Complaint("lost", f"a dead letter: {letter!r}") for letter in letters),
    ]


def judge_repeats(calls: Iterable[Call], spans: Sequence[Span], start: float) -> tuple[list[Repeat], list[Complaint]]:
    """The calls that were made again, and those of them that no fault explains; times are shown from `start` on."""
    repeats = list(find_repeats(calls, spans))
    return repeats, [Complaint("unexplained_repeats", show_repeat(r, start)) for r in repeats if r.fault is None]


def show_repeat(repeat: Repeat, start: float) -> str:
    """One line: which call, when and by whom, when again and by whom, and which fault explains it."""
    earlier, later, fault = repeat
    times = f"{earlier.begun - start:.3f}-{earlier.ended - start:.3f} s by {earlier.worker}"
    again = f"again {later.begun - start:.3f}-{later.ended - start:.3f} s by {later.worker}"
    if fault is None:
        return f"{earlier.event} {earlier.step} at {times}, {again}: no fault explains it"
    where = f"{fault.begin - start:.3f}-{fault.end - start:.3f} s"
    return f"{earlier.event} {earlier.step} at {times}, {again}: fault {fault.number} {fault.kind} {where}"


def traces_in(name: str, log: str) -> list[str]:
    """What a worker printed that no worker should print."""
    return [f"{name} printed: {line[:300]}" for line in log.splitlines() if any(trace in line for trace in _TRACES)]
