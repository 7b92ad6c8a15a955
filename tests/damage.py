"""What a failing disk does to a store."""

from pathlib import Path

_BYTES = 1_000


def damage(folder: Path, share: float) -> None:
    """Overwrite a stretch of each of the store's data files, `share` (0..1) of the way into it."""
    files = list(folder.glob("*.sst"))
    assert files, f"no data in {folder}"
    for file in files:
        with file.open("r+b") as opened:
            opened.seek(int(share * file.stat().st_size))
            opened.write(bytes(_BYTES))
