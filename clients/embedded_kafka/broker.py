"""The embedded broker: its parts put together, its life, and its sense of time."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self


class EmbeddedKafka:
    """Interface first; the broker follows."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        default_partitions: int = 4,
        auto_create_topics: bool = True,
    ) -> None:
        raise NotImplementedError((host, port, default_partitions, auto_create_topics))

    @property
    def bootstrap_servers(self) -> str:
        raise NotImplementedError

    def create_topic(
        self, name: str, *, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> None:
        raise NotImplementedError((name, partitions, config))

    async def pause(self) -> None:
        raise NotImplementedError

    async def resume(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
