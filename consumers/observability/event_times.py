"""Events counted and timed once per event, at the price of three additions; Prometheus's own types cost ten times that.

No lock: everything here happens in the event loop's thread, the reading included.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

Outcome = TypeVar("Outcome", bound=str)


class FlowEvents(Generic[Outcome]):
    """One flow's events: how many by outcome, and how long they took, in seconds."""

    __slots__ = ("_bounds", "buckets", "counts", "seconds")

    def __init__(self, outcomes: Sequence[Outcome], bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = dict.fromkeys(outcomes, 0)
        self.buckets = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, outcome: Outcome, seconds: float) -> None:
        """An event finished after `seconds`."""
        self.counts[outcome] += 1
        self.buckets[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds


class EventTimes(Collector, Generic[Outcome]):
    """The events of all flows, as a counter and a histogram that Prometheus reads when it asks."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        counter: tuple[str, str],
        histogram: tuple[str, str],
        outcomes: Sequence[Outcome],
        bounds: Sequence[float],
    ) -> None:
        self._counter = counter
        self._histogram = histogram
        self._outcomes = outcomes
        self._bounds = bounds
        self._flows: dict[str, FlowEvents[Outcome]] = {}
        registry.register(self)

    def flow(self, name: str) -> FlowEvents[Outcome]:
        """The events of one flow."""
        return self._flows.setdefault(name, FlowEvents(self._outcomes, self._bounds))

    def collect(self) -> Iterator[Metric]:
        """Both metrics as they stand; called by the registry."""
        counter = CounterMetricFamily(*self._counter, labels=("flow", "outcome"))
        histogram = HistogramMetricFamily(*self._histogram, labels=("flow",))
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for flow, events in self._flows.items():
            for outcome, count in events.counts.items():
                counter.add_metric([flow, outcome], count)
            cumulative = list(zip(bounds, accumulate(events.buckets), strict=True))
            histogram.add_metric([flow], buckets=cumulative, sum_value=events.seconds)
        yield counter
        yield histogram
