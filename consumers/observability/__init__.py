"""What an operator sees of a worker: logs, metrics, health."""

from consumers.observability.health import HealthServer
from consumers.observability.logs import configure_logging, silence_logging
from consumers.observability.metrics import FlowMetrics, Metrics
from consumers.observability.outage import BrokerOutage

__all__ = ["BrokerOutage", "FlowMetrics", "HealthServer", "Metrics", "configure_logging", "silence_logging"]
