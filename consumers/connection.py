"""From settings to the connection to Kafka."""

from pathlib import Path

from pydantic import SecretStr

from clients.kafka import Connection
from consumers.settings import Settings, SettingsError

_MAX_PORT = 65_535


def connection_for(settings: Settings) -> Connection:
    """How the settings say to reach Kafka. Raises SettingsError for what is wrong without trying."""
    _check_addresses(settings.kafka_bootstrap_servers)
    _check_credentials(settings)
    _check_files(settings)
    return Connection(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=settings.kafka_client_id,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=_revealed(settings.kafka_sasl_password),
        ssl_cafile=settings.kafka_ssl_cafile,
        ssl_certfile=settings.kafka_ssl_certfile,
        ssl_keyfile=settings.kafka_ssl_keyfile,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _check_addresses(bootstrap_servers: str) -> None:
    for address in bootstrap_servers.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not host or not colon or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
            raise SettingsError(f"KAFKA_BOOTSTRAP_SERVERS: {address.strip()!r} is not host:port")


def _check_credentials(settings: Settings) -> None:
    if not settings.kafka_security_protocol.startswith("SASL_"):
        return
    for name in ("kafka_sasl_username", "kafka_sasl_password"):
        if getattr(settings, name) is None:
            raise SettingsError(f"{name.upper()}: {settings.kafka_security_protocol} needs it")


def _check_files(settings: Settings) -> None:
    for name in ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            raise SettingsError(f"{name.upper()}: there is no file {path}")
