"""The account of one fault: when it struck, whom, and until when; written by the fault while it happens."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.chaos.fleet import Worker
from tests.chaos.plan import FaultKind
from tests.chaos.repeats import Span


@dataclass(slots=True, kw_only=True)
class Account:
    """One fault. What it has not struck it explains nothing of."""

    number: int
    kind: FaultKind
    say: Callable[[str], None]
    begin: float = 0.0
    struck: threading.Event = field(default_factory=threading.Event)
    busy: set[Worker] = field(default_factory=set)
    """Workers that no other fault may strike while this one goes on."""
    picked: set[Worker] = field(default_factory=set)
    """Workers that it has struck, or is going to."""
    _killed: frozenset[str] = frozenset()
    _blind: frozenset[str] = frozenset()
    _full: frozenset[str] = frozenset()
    _overtaken: bool = False
    _mended: float | None = None

    def strike(
        self,
        whom: str,
        *,
        kills: Iterable[Worker] = (),
        blinds: Iterable[Worker] = (),
        overtaken: bool = False,
        fills: Iterable[Worker] = (),
    ) -> None:
        """To be called the moment before the fault strikes, with those who may lose what they have not committed.

        `overtaken`: others go on and are given the tasks of the blind ones.
        """
        self._killed = frozenset(worker.incarnation for worker in kills)
        self._blind = frozenset(worker.incarnation for worker in blinds)
        self._full = frozenset(worker.incarnation for worker in fills)
        self._overtaken = overtaken
        self.begin = time.monotonic()
        self.say(whom)
        self.struck.set()

    def mend(self, *, spares: Callable[[str, float], bool] = lambda _name, _seconds: False) -> None:
        """To be called when the frozen or cut off ones can work again.

        `spares` says whom it cost nothing, by its incarnation and the seconds that it took.
        """
        self._mended = time.monotonic()
        seconds = self._mended - self.begin
        self._blind = frozenset(name for name in self._blind if not spares(name, seconds))

    def span(self, end: float, session: float) -> Span:
        """The span, once all is well; who was blind has to know within a session timeout, in seconds."""
        known_by = end if self._mended is None else min(end, self._mended + session)
        return Span(
            number=self.number,
            kind=self.kind,
            begin=self.begin,
            end=end,
            killed=self._killed,
            blind=self._blind,
            known_by=known_by,
            overtaken=self._overtaken,
            full=self._full,
        )
