"""Partition counts: a learner's events, in whichever topic, and its state share one partition number. Pure."""

from collections.abc import Mapping
from typing import Any

from consumers.engine.flow import Flow


def count_problem(flow: Flow[Any], counts: Mapping[str, int], begun_with: int | None = None) -> str | None:
    """What is wrong with the partition counts of the flow's own and input topics, and the remedy; None if nothing is.

    `begun_with` is the count that the state was written for, where that is known.
    """
    found = set(counts.values())
    if len(found) == 1 and begun_with in (None, *found):
        return None
    listed = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
    if begun_with is not None and begun_with not in found:
        listed += f", and {flow.state_topic} was begun with {begun_with}"
    return f"topics that are used together need one partition count: {listed}; {_remedy(flow)}"


def shared_topics(flow: Flow[Any]) -> tuple[str, ...]:
    """The topics that need one partition count."""
    return (*flow.inputs, flow.repartition_topic, *flow.changelogs)


def _remedy(flow: Flow[Any]) -> str:
    """Never to add partitions to what is smaller: the state of every learner that moves would be lost."""
    internal = ", ".join((flow.repartition_topic, *flow.changelogs))
    level = "give them one count, " if len(flow.inputs) > 1 else ""
    return (
        f"either bring {' and '.join(flow.inputs)} back to the old count (a new topic), or, to give up the state"
        f" and start anew, stop all workers, {level}delete {internal} and run `pathstream topics create`"
    )
