"""The configuration of a real broker for one machine: small, quick, and strict where the service must be."""


def server_properties(
    *, listener: str, controller: str, advertised: str, folder: str, controller_port: int
) -> dict[str, str]:
    """A broker that is its own controller; listeners are `host:port`, `folder` holds its data."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://{listener},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
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
