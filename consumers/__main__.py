"""The command line: `pathstream`, also `python -m consumers`."""

import io
import os
import signal
import sys

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no ellipsis is no reason to end
    if sys.argv[1:2] == ["run"]:  # until the worker takes signals itself there is nothing that has to end in order
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # an exception may be caught amid an import
    try:
        from consumers.cli.app import app  # noqa: PLC0415 - half a second, in which Ctrl-C has to end quietly too

        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
