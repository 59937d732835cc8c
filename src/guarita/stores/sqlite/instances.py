"""Which reservations' owners are dead: every store object in use is an instance, and holds a lock
for as long as it lives.

An instance is a random id and a file of that name in the folder `<database>-instances`, under an
exclusive `flock`. The kernel drops the lock when the process ends, however it ends, so a lock that
can be had, or a file that is missing, means a dead instance; ids are never used twice. Where there
is no `flock` (Windows) every instance counts as alive, and the reservations of a crashed process
answer "in flight" until they expire.
"""

import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

if sys.platform != "win32":
    import fcntl

    def _lock(descriptor: int, *, exclusive: bool) -> bool:
        """Whether the lock was to be had at once."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    HAS_LOCKS = True
else:
    HAS_LOCKS = False

    def _lock(descriptor: int, *, exclusive: bool) -> bool:
        return True


_SWEPT_AT_ONCE = 256


class Instance:
    """A living instance; `id` is what its reservations are marked with."""

    def __init__(self, folder: Path) -> None:
        """Make the file and lock it.

        Raises:
            OSError: the folder cannot be written to.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        while True:
            self.id = secrets.token_hex(8)
            self._path = folder / self.id
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            # Between the two calls a sweep may take the file for a dead instance's: then another
            # id is tried.
            if _lock(self._descriptor, exclusive=True) and self._path.exists():
                return
            os.close(self._descriptor)

    def close(self, *, forget: bool) -> None:
        """End the instance; `forget` removes its file too, which is right when no reservation
        refers to it.
        """
        if forget:
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's lock, which would otherwise outlive the
        parent, without dropping it.
        """
        os.close(self._descriptor)


def is_dead(folder: Path, instance: str) -> bool:
    """Whether the instance of that id has ended. To be asked about others only, never about a
    living instance of one's own.

    Raises:
        OSError: the file is there but cannot be opened.
    """
    if not HAS_LOCKS:
        return False
    try:
        descriptor = os.open(folder / instance, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        # Shared, so that two processes asking at once do not take each other for the owner.
        return _lock(descriptor, exclusive=False)
    finally:
        os.close(descriptor)


def sweep(folder: Path, is_referred_to: Callable[[str], bool]) -> int:
    """Remove the files of dead instances no reservation refers to; returns how many. Looks at a
    bounded number of files.
    """
    removed = 0
    if not HAS_LOCKS:
        return removed
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, _SWEPT_AT_ONCE):
            if is_dead(folder, entry.name) and not is_referred_to(entry.name):
                Path(entry.path).unlink(missing_ok=True)
                removed += 1
    return removed
