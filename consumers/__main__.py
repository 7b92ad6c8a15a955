"""The command line: `pathstream`, also `python -m consumers`."""

import io
import sys

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no ellipsis is no reason to end
    try:
        from consumers.cli.app import app  # noqa: PLC0415 - half a second, in which Ctrl-C has to end quietly too

        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
