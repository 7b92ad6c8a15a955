"""The configuration of a real broker for one machine: small, quick, and strict where the service must be."""

from collections.abc import Mapping
from typing import NamedTuple


class Route(NamedTuple):
    """One more way to the broker: it listens at one address and sends its clients to another, as `host:port`."""

    listener: str
    advertised: str


NO_ROUTES: Mapping[str, Route] = {}


def server_properties(
    *,
    listener: str,
    controller: str,
    advertised: str,
    folder: str,
    controller_port: int,
    routes: Mapping[str, Route] = NO_ROUTES,
) -> dict[str, str]:
    """A broker that is its own controller; listeners are `host:port`, `folder` holds its data, `routes` have names."""
    listeners = {"PLAINTEXT": Route(listener, advertised), **routes}
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": ",".join(
            [*(f"{name}://{route.listener}" for name, route in listeners.items()), f"CONTROLLER://{controller}"]
        ),
        "advertised.listeners": ",".join(f"{name}://{route.advertised}" for name, route in listeners.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ("CONTROLLER", *listeners)),
        "log.dirs": folder,
        "auto.create.topics.enable": "false",
        "num.partitions": "4",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "300",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
