"""The two clients that drive the contract suite."""

import pytest

from clients.kafka import Connection
from tests.contract.kafka_drivers import AiokafkaDriver, Driver
from tests.contract.librdkafka_driver import LibrdkafkaDriver


@pytest.fixture(params=["aiokafka", "librdkafka"])
def driver(request: pytest.FixtureRequest, connection: Connection) -> Driver:
    """Each of the two clients in turn, against the `kafka` of this test."""
    return AiokafkaDriver(connection) if request.param == "aiokafka" else LibrdkafkaDriver(connection)
