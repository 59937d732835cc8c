"""Answers `VerifyCredential` and `FindKey` from memory, and keeps that memory up to date.

No request waits for a database: a thread looks for changes (a few microseconds where there are
none) and replaces the keys that changed. While the store is out of reach the last known keys stay
in force, but not for ever: a server that cannot learn of a revocation must stop admitting, so after
`max_stale_s` every answer is an `Outage`.
"""

import logging
import math
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from guarita.asks import FindKey, Outage, VerifyCredential
from guarita.crypto import find_digest, find_secret, mac_state, secret_hash
from guarita.keyring.key_table import id_of
from guarita.keyring.repository import Repository
from guarita.keyring.snapshot import NOBODY, Snapshot, secrets_of
from guarita.records import Verified

_UNKNOWN_ID = Verified(None, None, client_id_known=False)
_WRONG_SECRET = Verified(None, None, client_id_known=True)

_log = logging.getLogger("guarita.keyring")


class Verifier:
    """Whose key is it, and is the secret right? Thread-safe.

    Until a secret has proved right, the work is the same for every request: one look-up, one hash,
    two comparisons. A right one is answered from a bounded cache of decoded keys with their HMAC
    states (DESIGN section 7, item 5), out of which a changed key is dropped.
    """

    def __init__(
        self,
        repository: Repository,
        pepper: bytes,
        clock: Callable[[], float] = time.time,
        *,
        max_stale_s: float = 60.0,
        hot_keys: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads all keys.

        `clock` gives Unix seconds, for the end of a rotated secret; `monotonic` any seconds, for
        `max_stale_s`, which counts from `watch` on. `hot_keys` secrets are kept decoded, at about
        2 kB each.

        Raises:
            Outage: the store is out of reach.
        """
        self._repository = repository
        self._pepper = pepper
        self._clock = clock
        self._monotonic = monotonic
        self._max_stale_s = max_stale_s
        self._hot_keys = hot_keys
        self._snapshot = Snapshot()
        self._hot: dict[bytes, tuple[bytes, Verified]] = {}
        self._changing = Lock()  # _snapshot and _hot
        self._refreshing = Lock()
        self._revision = 0
        self._touched: tuple[int, int] | None = None
        self._reported = False
        self._stale_at = math.inf
        self._thread: Thread | None = None
        self._stop = Event()
        self._load()

    def answer(self, ask: VerifyCredential | FindKey) -> Verified:
        """The key and its HMAC state, or a `Verified` without a key.

        Raises:
            Outage: changes have not been readable for `max_stale_s` seconds.
        """
        return self.find(ask) if isinstance(ask, FindKey) else self.verify(ask)

    def verify(self, ask: VerifyCredential) -> Verified:
        """`answer` for a client_id and its secret; keys that are one secret are unknown here."""
        if self._monotonic() >= self._stale_at:
            raise Outage("the keyring could not be refreshed for too long")
        snapshot = self._snapshot
        packed = snapshot.by_id.get(ask.client_id) or NOBODY
        found = find_secret(self._pepper, ask.secret, secrets_of(packed), self._clock())
        if found is None:
            return _UNKNOWN_ID if packed is NOBODY else _WRONG_SECRET
        hot = self._hot.get(found.digest)
        if hot is not None and hot[0] is packed:
            return hot[1]
        if packed is NOBODY:
            return _UNKNOWN_ID
        key = snapshot.unpack(packed)
        verified = Verified(key, mac_state(ask.secret), client_id_known=True)
        return self._keep(packed, found.digest, verified)

    def find(self, ask: FindKey) -> Verified:
        """`answer` for a key that is one secret. `mac` is None: nothing is signed with it."""
        if self._monotonic() >= self._stale_at:
            raise Outage("the keyring could not be refreshed for too long")
        snapshot = self._snapshot
        digest = secret_hash(self._pepper, ask.api_key)
        packed = snapshot.by_digest(digest) or NOBODY
        found = find_digest(digest, secrets_of(packed), self._clock())
        if found is None or packed is NOBODY:
            return _UNKNOWN_ID
        hot = self._hot.get(found.digest)
        if hot is not None and hot[0] is packed:
            return hot[1]
        verified = Verified(snapshot.unpack(packed), None, client_id_known=True)
        return self._keep(packed, found.digest, verified)

    def _keep(self, packed: bytes, digest: bytes, verified: Verified) -> Verified:
        """Keeps the decoded key of a verified secret while it does not change."""
        with self._changing:
            # Not what has been replaced meanwhile: it would stay here unused.
            if self._snapshot.packed(id_of(packed)) is packed:
                while len(self._hot) >= self._hot_keys:
                    del self._hot[next(iter(self._hot))]
                self._hot[digest] = packed, verified
        return verified

    def __len__(self) -> int:
        """How many keys are known."""
        return len(self._snapshot)

    # Keeping up to date

    def refresh(self) -> bool:
        """Takes over what has changed in the store; returns whether anything had.

        Where the store is out of reach, nothing changes; that is logged once, and once again when
        it is back.
        """
        try:
            with self._refreshing:
                changed = self._load()
        except Outage as outage:
            self._report(outage)
            return False
        if self._reported:
            self._reported = False
            _log.warning("the keyring can be read again")
        return changed

    def _report(self, problem: Exception) -> None:
        if not self._reported:
            self._reported = True
            # Not the traceback: nobody knows what a store's error drags along.
            _log.error(
                "the keyring cannot be read (%s: %s); the keys last read stay in force%s",
                type(problem).__name__,
                problem if isinstance(problem, Outage) else "unexpected error",
                f" for {self._max_stale_s:g} s" if self._thread else "",
            )

    def _load(self) -> bool:
        read_at = self._monotonic()
        touched = self._repository.touched()
        before = self._touched
        changed = False
        if touched != before:
            another = before is not None and touched[0] != before[0]
            if another or self._repository.revision() < self._revision:
                self._read_anew()
                changed = True
            else:
                changed = self._read_changes()
            self._touched = touched
        if self._thread is not None:
            self._stale_at = read_at + self._max_stale_s
        return changed

    def _read_changes(self) -> bool:
        since = self._revision
        while True:
            revision, keys = self._repository.changed_since(self._revision)
            with self._changing:
                for key in keys:
                    before = self._snapshot.put(key)
                    if before is not None:
                        for secret in secrets_of(before):
                            self._hot.pop(secret.digest, None)
            if revision == self._revision:
                return revision != since
            self._revision = revision

    def _read_anew(self) -> None:
        """Another database, or one set back to an earlier state: keys may have vanished."""
        snapshot, revision = Snapshot(), 0
        while True:
            complete, keys = self._repository.changed_since(revision)
            for key in keys:
                snapshot.put(key)
            if complete == revision:
                break
            revision = complete
        with self._changing:
            self._snapshot, self._revision = snapshot, revision
            self._hot.clear()

    def watch(self, interval_s: float = 0.25) -> None:
        """Refreshes every `interval_s` seconds, in a thread, until `close`."""
        if self._thread is not None:
            raise RuntimeError("this verifier is watching already")
        self._stop.clear()
        self._thread = Thread(
            target=self._keep_up, args=(interval_s,), name="guarita-keyring", daemon=True
        )
        self._stale_at = self._monotonic() + self._max_stale_s
        self._thread.start()

    def _keep_up(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            try:
                self.refresh()
            except Exception as error:
                # One bad row must not end the thread; unless it is repaired, max_stale_s applies.
                self._report(error)

    def close(self) -> None:
        """Stops the thread. The repository is its owner's to close."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self._stale_at = math.inf
