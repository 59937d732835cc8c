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
        """`alone`: nobody else may serve from `folder`. `setting` is why, in the words of
        guarita.toml.
        """
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(self._file, 200, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f" (process {other})" if other.isdigit() else ""
            why = (
                f"this one has {setting} in [data]"
                if alone
                else 'that one does not have counters = "shared" in [data]'
            )
            raise RefusedError(
                f"another process{who} serves from the data folder {folder}, and {why}: what one"
                ' counts the other would not know. Set counters = "shared" for both, or give each'
                " a data folder of its own"
            ) from None
        os.ftruncate(self._file, 0)
        if alone:
            os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let others use the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
