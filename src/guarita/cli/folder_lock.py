"""Who may use a data folder at the same time.

Counters that live in a process, and reservations that live in memory, are right only while no other
process serves from the same folder. `serve.lock` in the folder tells: a process whose counters are
shared holds it together with others, any other one holds it alone. The lock is the operating
system's (flock) and ends with the process, however that ends.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from guarita.cli.output import RefusedError

LOCK = "serve.lock"


class FolderLock:
    """A hold on the data folder, until `release`.

    Raises:
        RefusedError: another process serves from the folder, and one of the two counts alone.
    """

    def __init__(self, folder: Path, *, alone: bool, setting: str) -> None:
        """`alone`: nobody else may serve from `folder`. `setting` is why: what this process "has",
        in the words of guarita.toml where it is a setting there.
        """
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.pread(self._file, 200, 0).decode("utf-8", "replace")
            os.close(self._file)
            other, _, its = told.strip().partition("\n")
            who = f" (process {other})" if other.isdigit() else ""
            if alone:
                why = f"this one has {setting}"
            else:
                why = f"that one has {its}" if its else "that one shares it with nobody"
            raise RefusedError(
                f"another process{who} serves from the data folder {folder}, and {why}: what one"
                ' counts the other would not know. Set counters = "shared" for both, without'
                " unsafe_memory_reservations, or give each a data folder of its own"
            ) from None
        os.ftruncate(self._file, 0)
        if alone:
            os.pwrite(self._file, f"{os.getpid()}\n{setting}\n".encode(), 0)

    def release(self) -> None:
        """Let others use the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
