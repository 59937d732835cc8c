"""The data folder as `guarita serve` needs it, and contradictions within `[data]`."""

import os
import stat
from pathlib import Path

from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes
from guarita.config.process_settings import DataSettings

FOLDER: Place = ("data", "folder")
MEMORY: Place = ("data", "unsafe_memory_reservations")


def check_folder(folder: Path, *, named: bool, mistakes: Mistakes) -> None:
    """The folder is there and may be written to, or it can be made. `named`: by the file itself,
    not by the command line or the environment.
    """
    fault = _fault(folder)
    if fault and named:
        mistakes.add(FOLDER, f"folder: {fault}")
    elif fault:
        mistakes.add_of_whole(f"data folder: {fault}")


def _fault(folder: Path) -> str:
    """Why a folder cannot be used, "" where it can."""
    try:
        if folder.is_dir():
            if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"others may write to {folder}; run: chmod go-w {folder}"
            return "" if _writable(folder) else f"{folder} may not be written to by this user"
        if os.path.lexists(folder):
            return f"{folder} is no folder; name one, or a path where one can be made"
        above = next(one for one in folder.absolute().parents if os.path.lexists(one))
        if not above.is_dir():
            return f"{folder} cannot be made: {above} is no folder"
        return "" if _writable(above) else f"{folder} cannot be made: no right to write to {above}"
    except (OSError, ValueError) as error:
        return f"{str(folder)!r} cannot be used: {getattr(error, 'strerror', None) or error}"


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def check_stores(settings: DataSettings, mistakes: Mistakes) -> None:
    """Where reservations and counters are kept."""
    if not settings.unsafe_memory_reservations:
        return
    if settings.counters == "shared":
        mistakes.add(
            MEMORY,
            "unsafe_memory_reservations = true keeps reservations in one process, and"
            ' counters = "shared" is for several: leave one of them out',
        )
    mistakes.danger(
        MEMORY,
        "idempotency records are lost with the process: a retried payment may execute twice",
    )
