"""Waiting for conditions, in plain threads."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Return once the condition holds; raises TimeoutError that says what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)
