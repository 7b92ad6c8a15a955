"""The Kafka that tests run on: which one this machine can run, how it starts, stops and fails."""

from tests.kafka.choice import NoKafkaError, RealKafka, choose_kafka
from tests.kafka.container import ContainerKafka
from tests.kafka.eventually import eventually
from tests.kafka.given import GivenKafka
from tests.kafka.jars import JarsUnavailableError, kafka_jars
from tests.kafka.local import LocalKafka
from tests.kafka.ports import free_port
from tests.kafka.tools import KafkaTools, ToolError, ToolName
from tests.kafka.under_test import KafkaUnderTest, TopicFactory

__all__ = [
    "ContainerKafka",
    "GivenKafka",
    "JarsUnavailableError",
    "KafkaTools",
    "KafkaUnderTest",
    "LocalKafka",
    "NoKafkaError",
    "RealKafka",
    "ToolError",
    "ToolName",
    "TopicFactory",
    "choose_kafka",
    "eventually",
    "free_port",
    "kafka_jars",
]
