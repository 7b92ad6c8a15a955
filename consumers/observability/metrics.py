"""Prometheus metrics of a worker. Names and labels are an interface to dashboards: `TABLE` is all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.observability.event_times import EventTimes, FlowEvents
from schemas.errors import ErrorCode

MetricName = Literal[
    "pathstream_events_total",
    "pathstream_event_seconds",
    "pathstream_in_flight",
    "pathstream_buffered_bytes",
    "pathstream_waiting_events",
    "pathstream_checkpoints_total",
    "pathstream_checkpoint_seconds",
    "pathstream_dead_letters_total",
    "pathstream_retries_total",
    "pathstream_tasks",
    "pathstream_model_calls_total",
    "pathstream_rebalances_total",
]
EventOutcome = Literal["done", "degraded", "duplicate", "forwarded", "dead_letter"]
CheckpointOutcome = Literal["committed", "failed", "fenced"]
ModelOutcome = Literal["answered", "timeout", "transient", "rejected", "blocked", "truncated", "malformed"]


class Spec(NamedTuple):
    """What a metric tells and by which labels it is split."""

    help: str
    labels: tuple[str, ...]


TABLE: Final = MappingProxyType[MetricName, Spec](
    {
        "pathstream_events_total": Spec("Events finished", ("flow", "outcome")),
        "pathstream_event_seconds": Spec("From an event's reading to its end, retries included", ("flow",)),
        "pathstream_in_flight": Spec("Events in a handler", ("flow",)),
        "pathstream_buffered_bytes": Spec(
            "Bytes read from Kafka and not finished, and of results not committed or not on disk yet", ("flow",)
        ),
        "pathstream_waiting_events": Spec(
            "Events read and not finished; Kafka's own lag counts finished ones too", ("flow",)
        ),
        "pathstream_checkpoints_total": Spec("Checkpoints", ("flow", "outcome")),
        "pathstream_checkpoint_seconds": Spec("A checkpoint's transaction, begin to end", ("flow",)),
        "pathstream_dead_letters_total": Spec("Events sent to a dead-letter topic", ("flow", "code")),
        "pathstream_retries_total": Spec("Attempts at an event after its first", ("flow",)),
        "pathstream_tasks": Spec("Tasks of this worker", ("flow", "state")),
        "pathstream_model_calls_total": Spec("Model calls", ("outcome",)),
        "pathstream_rebalances_total": Spec("Assignments received from the group", ("flow",)),
    }
)

_EVENT_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300)
_CHECKPOINT_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMetrics:
    """One flow's metrics, its label resolved once; every method is one addition and safe in a hot path."""

    _metrics: "Metrics"
    _flow: str
    _events: FlowEvents[EventOutcome]
    _checkpoints: dict[CheckpointOutcome, Counter]
    _checkpoint_seconds: Histogram
    _retries: Counter
    _rebalances: Counter

    def event(self, outcome: EventOutcome, seconds: float) -> None:
        """An event finished, `seconds` after it was read."""
        self._events.add(outcome, seconds)

    def checkpoint(self, outcome: CheckpointOutcome, seconds: float) -> None:
        """A checkpoint ended after `seconds`."""
        self._checkpoints[outcome].inc()
        self._checkpoint_seconds.observe(seconds)

    def dead_letter(self, code: ErrorCode) -> None:
        """An event became a dead letter."""
        self._metrics.dead_letters.labels(self._flow, code).inc()

    def retry(self) -> None:
        """An event is tried once more."""
        self._retries.inc()

    def rebalance(self) -> None:
        """The group gave this worker an assignment."""
        self._rebalances.inc()

    def watch(
        self,
        *,
        in_flight: Callable[[], float],
        buffered_bytes: Callable[[], float],
        waiting_events: Callable[[], float],
        tasks: Mapping[str, Callable[[], float]],
    ) -> None:
        """Read these when Prometheus asks, so that they cost nothing in between; `tasks` by state."""
        for state, count in tasks.items():
            self._metrics.tasks.labels(self._flow, state).set_function(count)
        self._metrics.in_flight.labels(self._flow).set_function(in_flight)
        self._metrics.buffered_bytes.labels(self._flow).set_function(buffered_bytes)
        self._metrics.waiting_events.labels(self._flow).set_function(waiting_events)


class Metrics:
    """All metrics of one worker, in the registry it is given; nothing is global."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: MetricName) -> Counter:
            return Counter(name, *TABLE[name], registry=registry)

        def gauge(name: MetricName) -> Gauge:
            return Gauge(name, *TABLE[name], registry=registry)

        def histogram(name: MetricName, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, *TABLE[name], buckets=buckets, registry=registry)

        self.events: EventTimes[EventOutcome] = EventTimes(
            registry,
            counter=("pathstream_events_total", TABLE["pathstream_events_total"].help),
            histogram=("pathstream_event_seconds", TABLE["pathstream_event_seconds"].help),
            outcomes=get_args(EventOutcome),
            bounds=_EVENT_BUCKETS,
        )
        self.in_flight = gauge("pathstream_in_flight")
        self.buffered_bytes = gauge("pathstream_buffered_bytes")
        self.waiting_events = gauge("pathstream_waiting_events")
        self.checkpoints = counter("pathstream_checkpoints_total")
        self.checkpoint_seconds = histogram("pathstream_checkpoint_seconds", _CHECKPOINT_BUCKETS)
        self.dead_letters = counter("pathstream_dead_letters_total")
        self.retries = counter("pathstream_retries_total")
        self.tasks = gauge("pathstream_tasks")
        self.model_calls = counter("pathstream_model_calls_total")
        self.rebalances = counter("pathstream_rebalances_total")

    def flow(self, name: str) -> FlowMetrics:
        """The metrics of one flow, e.g. `learning_goal`; call it once per flow and keep the answer."""
        return FlowMetrics(
            _metrics=self,
            _flow=name,
            _events=self.events.flow(name),
            _checkpoints={outcome: self.checkpoints.labels(name, outcome) for outcome in get_args(CheckpointOutcome)},
            _checkpoint_seconds=self.checkpoint_seconds.labels(name),
            _retries=self.retries.labels(name),
            _rebalances=self.rebalances.labels(name),
        )

    def model_call(self, outcome: ModelOutcome) -> None:
        """A model call ended."""
        self.model_calls.labels(outcome).inc()
