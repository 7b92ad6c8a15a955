"""Metrics: names and labels are an interface; what is counted shows up where dashboards look."""

from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest

from consumers.observability import Metrics
from consumers.observability.metrics import TABLE, MetricName


def test_what_a_flow_counts_is_exposed_under_its_name_and_labels() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    flow = metrics.flow("learning_goal")
    flow.event("done", 0.2)
    flow.event("dead_letter", 0.01)
    flow.checkpoint("committed", 0.02)
    flow.dead_letter("INVALID_JSON")
    flow.retry()
    flow.rebalance()
    metrics.model_call("answered")
    of_flow = {"flow": "learning_goal"}
    assert registry.get_sample_value("pathstream_events_total", of_flow | {"outcome": "done"}) == 1
    assert registry.get_sample_value("pathstream_event_seconds_count", of_flow) == 2
    assert registry.get_sample_value("pathstream_checkpoints_total", of_flow | {"outcome": "committed"}) == 1
    assert registry.get_sample_value("pathstream_checkpoint_seconds_sum", of_flow) == 0.02
    assert registry.get_sample_value("pathstream_dead_letters_total", of_flow | {"code": "INVALID_JSON"}) == 1
    assert registry.get_sample_value("pathstream_retries_total", of_flow) == 1
    assert registry.get_sample_value("pathstream_rebalances_total", of_flow) == 1
    assert registry.get_sample_value("pathstream_model_calls_total", {"outcome": "answered"}) == 1


def test_gauges_are_read_when_prometheus_asks() -> None:
    registry = CollectorRegistry()
    waiting = [1, 2, 3]
    Metrics(registry).flow("exam").watch(
        in_flight=lambda: 2,
        buffered_bytes=lambda: 4096,
        waiting_events=lambda: len(waiting),
        tasks={"active": lambda: 4, "opening": lambda: 0},
    )
    assert registry.get_sample_value("pathstream_waiting_events", {"flow": "exam"}) == 3
    waiting.clear()
    assert registry.get_sample_value("pathstream_waiting_events", {"flow": "exam"}) == 0
    assert registry.get_sample_value("pathstream_in_flight", {"flow": "exam"}) == 2
    assert registry.get_sample_value("pathstream_tasks", {"flow": "exam", "state": "active"}) == 4
    assert registry.get_sample_value("pathstream_buffered_bytes", {"flow": "exam"}) == 4096


def test_outcomes_are_there_as_zero_before_anything_happened() -> None:
    """A dashboard can compute a rate from the first event on."""
    registry = CollectorRegistry()
    Metrics(registry).flow("learning_goal")
    labels = {"flow": "learning_goal", "outcome": "dead_letter"}
    assert registry.get_sample_value("pathstream_events_total", labels) == 0


def test_the_table_is_all_there_is() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    exposed = generate_latest(registry).decode()
    helps = {line.split(" ", 3)[2]: line.split(" ", 3)[3] for line in exposed.splitlines() if line.startswith("# HELP")}
    assert helps == {name: spec.help for name, spec in TABLE.items()}
    assert set(TABLE) == set(get_args(MetricName))


def test_two_workers_in_one_process_count_apart() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).flow("learning_goal").retry()
    Metrics(second).flow("learning_goal")
    assert second.get_sample_value("pathstream_retries_total", {"flow": "learning_goal"}) == 0
