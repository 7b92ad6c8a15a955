"""A Kafka broker in this process, in memory, on a real port: for the demo and tests, never for production."""

from clients.embedded_kafka.broker import EmbeddedKafka

__all__ = ["EmbeddedKafka"]
