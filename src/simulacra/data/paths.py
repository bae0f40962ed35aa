"""Where named data sets are looked for, and where decoded images are cached."""

import os
from pathlib import Path


def data_folders() -> list[Path]:
    """The folders searched for named sets, in order: `SIMULACRA_DATA`, then the user's cache."""
    named = os.environ.get("SIMULACRA_DATA")
    return ([Path(named).expanduser()] if named else []) + [_user_cache()]


def find(path: str) -> Path:
    """Where a path of the user's is: as written, or else below one of the `data_folders`."""
    written = Path(path).expanduser()
    if written.is_absolute() or written.exists():
        return written
    return next((folder / path for folder in data_folders() if (folder / path).exists()), written)


def cache_folder() -> Path:
    """A folder to write to: `SIMULACRA_DATA` when it can be written, else the user's cache.

    Raises:
        OSError: neither can be written.
    """
    for folder in data_folders():
        try:
            # root may write anywhere: a folder marked read-only is left as it is all the same
            if folder.exists() and not folder.stat().st_mode & 0o222:
                continue
            (folder / "cache").mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder / "cache", os.W_OK):
            return folder / "cache"
    raise OSError("no folder for cached data can be written; set SIMULACRA_DATA to one")


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simulacra"
