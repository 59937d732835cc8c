"""The data folder: everything one installation keeps on disk, opened or made in one place.

    guarita.db      accounts, keys, reservations, counters (SQLite; with -wal and -shm beside it)
    pepper          the key under which secrets are hashed, in hexadecimal; not there where
                    GUARITA_PEPPER gives it
    decisions.db    the decision log
    ca/             the certificate authority (`guarita.pki.authority`), once there is one

Whoever has `pepper` and `guarita.db` can still not read a secret, but test guesses; whoever loses
`pepper` has to rotate every key. Back it up apart from the database.
"""

import os
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from guarita.crypto import secret_hash
from guarita.keyring.keyring import Keyring
from guarita.stores.sqlite.keyring import SqliteKeyring

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from guarita.stores.sqlite.store import SqliteStore

PEPPER_VARIABLE = "GUARITA_PEPPER"
_PEPPER_BYTES = 32
_FINGERPRINTED = b"guarita: fingerprint of a pepper"


class DataFolderError(Exception):
    """The folder cannot be used as it is; the message says what to do."""


class DataFolder:
    """An open data folder.

    Attributes:
        path: the folder.
        pepper: the key of the secrets' hashes, 32 bytes or more.
        repository: accounts and keys as kept; what a `Verifier` reads.
        keyring: the use cases over them.
        decisions_path: where the decision log is kept.
        ca_path: where the certificate authority is kept.
    """

    def __init__(
        self,
        path: Path,
        *,
        permissions: frozenset[str] | None = None,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Opens `path`, or makes it (mode 0700, and its parents). `permissions` and `clock` are
        the `Keyring`'s.

        Raises:
            DataFolderError: not a folder; others may write to it or read the pepper; the pepper is
                unreadable, lost, or not the one its keys were made with.
            Outage: the database is out of reach. SchemaTooNew: it belongs to a newer Guarita.
        """
        self.path = path
        _make_private(path)
        self.database_path = path / "guarita.db"
        self.decisions_path = path / "decisions.db"
        self.ca_path = path / "ca"
        self.repository = SqliteKeyring(self.database_path)
        try:
            self.pepper = self._find_pepper(environ)
            if not self.repository.check_pepper(secret_hash(self.pepper, _FINGERPRINTED)):
                raise DataFolderError(
                    f"the keys in {path} were made with another pepper than the one given now; "
                    f"restore the file 'pepper' or the variable {PEPPER_VARIABLE} of that time"
                )
        except BaseException:
            self.repository.close()
            raise
        self.keyring = Keyring(self.repository, self.pepper, clock, permissions)

    @cached_property
    def store(self) -> "SqliteStore":
        """Reservations and counters, in the same database; opened on first use."""
        from guarita.stores.sqlite.store import SqliteStore

        return SqliteStore(self.database_path)

    def _find_pepper(self, environ: Mapping[str, str]) -> bytes:
        given = environ.get(PEPPER_VARIABLE)
        if given is not None:
            return _parsed(given, f"the variable {PEPPER_VARIABLE}")
        file = self.path / "pepper"
        if not file.exists():
            if self.repository.keys():
                raise DataFolderError(
                    f"{file} is missing, and the keys in this folder were made with it; restore it "
                    f"from a backup, or set {PEPPER_VARIABLE}"
                )
            _write_pepper(file)
        return _read_pepper(file)

    def close(self) -> None:
        """Closes what is open; the folder's objects raise `Outage` from then on."""
        store = self.__dict__.pop("store", None)
        if store is not None:
            store.close()
        self.repository.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        self.close()


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise DataFolderError(f"cannot make the folder {path}: {error.strerror}") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DataFolderError(f"others may write to {path}; run: chmod go-w {path}")


def _write_pepper(file: Path) -> None:
    """Makes the pepper, whole or not at all. Of two processes that start together one wins."""
    with NamedTemporaryFile(
        "w", dir=file.parent, prefix=".pepper-"
    ) as draft:  # made with mode 0600
        draft.write(secrets.token_hex(_PEPPER_BYTES) + "\n")
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, file)
        except FileExistsError:
            return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_pepper(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(4096)
    except OSError as error:
        raise DataFolderError(f"cannot read {file}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DataFolderError(f"others may read or write {file}; run: chmod 600 {file}")
    return _parsed(text.decode("ascii", "replace"), str(file))


def _parsed(text: str, where: str) -> bytes:
    try:
        pepper = bytes.fromhex(text.strip())
    except ValueError:
        pepper = b""
    if len(pepper) < _PEPPER_BYTES:
        raise DataFolderError(
            f"{where} must hold at least {2 * _PEPPER_BYTES} hexadecimal digits "
            f"({_PEPPER_BYTES} random bytes); `openssl rand -hex {_PEPPER_BYTES}` makes some"
        )
    return pepper
