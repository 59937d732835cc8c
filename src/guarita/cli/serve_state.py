"""What `guarita serve` keeps over reloads: data folder, stores, decision log, certificates.

Everything here is opened once; a reload changes only whom client certificates are verified against.
"""

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from guarita.asks import CountHit, Outage
from guarita.cli.authority import DAY_S, publish
from guarita.cli.folder_lock import FolderLock
from guarita.cli.output import RefusedError
from guarita.config import Loaded
from guarita.config.profiles import BUILT_IN
from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog
from guarita.keyring.blocker import KeyBlocker
from guarita.keyring.verifier import Verifier
from guarita.pki.authority import Authority
from guarita.serving.backend import Answerer, Backend
from guarita.stores.group_commit import GroupCommit
from guarita.stores.memory import MemoryStore

if TYPE_CHECKING:
    from guarita.pki.revocation import Revocations
    from guarita.pki.verifier import CertificateVerifier

log = logging.getLogger("guarita.gateway")


class Certificates:
    """Answers `VerifyCertificate` by the authorities that are in force now."""

    def __init__(self) -> None:
        self.own = False
        self._verifier: CertificateVerifier | None = None
        self._lists: Revocations | None = None

    def answer(self, ask: Any) -> Any:
        if self._verifier is None:
            raise Outage("no authority is configured")
        return self._verifier.answer(ask)

    def use(
        self, opened: "tuple[CertificateVerifier, Revocations | None] | None", *, own: bool
    ) -> None:
        """Verify by these from now on. `own`: they are the data folder's."""
        former, self.own = self._lists, own
        self._verifier, self._lists = opened or (None, None)
        if self._lists is not None:
            self._lists.watch()
        if former is not None:
            former.close()

    def close(self) -> None:
        if self._lists is not None:
            self._lists.close()


class Apart:
    """Counters of one profile among those that several share: two APIs behind one gateway do not
    use up each other's rate limits.
    """

    def __init__(self, counters: Answerer, profile: str) -> None:
        self._counters = counters
        self._before = f"{profile}|"

    def answer(self, ask: Any) -> Any:
        if type(ask) is CountHit:
            ask = CountHit(self._before + ask.key, ask.at, ask.window_s)
        return self._counters.answer(ask)


def fixed(loaded: Loaded) -> dict[str, object]:
    """The settings that only a restart can change, by their names in the file."""
    settings = loaded.settings
    tables = {"data": settings.data, "decision_log": settings.decision_log}
    found = {
        f"[{table}] {name}": value
        for table, one in tables.items()
        for name, value in asdict(one).items()
    }
    found["[data] folder"] = (settings.data.folder, loaded.data)
    found["[process] event_loop"] = settings.process.event_loop
    return found


class State:
    """The open data folder and all that answers from it.

    Raises:
        RefusedError: another process serves from the folder, and one of the two counts alone.
        DataFolderError, Outage, LogUnavailable: as the parts raise them.
    """

    def __init__(self, loaded: Loaded) -> None:
        settings = loaded.settings
        self._stack = ExitStack()
        self._fixed = fixed(loaded)
        self._counters = settings.data.counters
        self._backends: dict[str, Backend] = {}
        self.certificates = Certificates()
        with ExitStack() as stack:
            self.folder = stack.enter_context(
                DataFolder(loaded.data, permissions=loaded.permissions)
            )
            in_memory = settings.data.unsafe_memory_reservations
            stack.enter_context(
                FolderLock(
                    loaded.data,
                    alone=settings.data.counters == "process" or in_memory,
                    setting="unsafe_memory_reservations = true in [data]"
                    if in_memory
                    else 'counters = "process" in [data]',
                )
            )
            self.decision_log = None
            if settings.decision_log.enabled:
                self.decision_log = DecisionLog(
                    self.folder.decisions_path,
                    keep_days=settings.decision_log.keep_days,
                    max_rows=settings.decision_log.max_rows,
                )
                stack.callback(self.decision_log.close)
            self._verifier = Verifier(self.folder.repository, self.folder.pepper)
            stack.callback(self._verifier.close)
            self._durable = GroupCommit(self.folder.store)
            stack.callback(self._durable.close)
            self._reservations: Answerer = MemoryStore() if in_memory else self._durable
            self._verifier.watch()
            plan = loaded.certificates
            opened = None if plan is None else plan.open()
            self.certificates.use(opened, own=plan is not None and plan.own)
            stack.callback(self.certificates.close)
            self._stack = stack.pop_all()

    def backend_of(self, profile: str) -> Backend:
        """Who answers the asks of a profile. Each counts for itself; all else is shared."""
        backend = self._backends.get(profile)
        if backend is None:
            counters: Answerer = MemoryStore()
            if self._counters == "shared":
                # Under their own names the two that exist count together with the middleware.
                counters = self._durable if profile in BUILT_IN else Apart(self._durable, profile)
            backend = self._backends[profile] = Backend(
                self._verifier,
                counters,
                self._reservations,
                blocker=KeyBlocker(self.folder.repository, self._verifier.refresh),
                certificates=self.certificates,
            )
        return backend

    def check(self, loaded: Loaded) -> None:
        """Raises RefusedError where a configuration read anew changes what only a restart can."""
        changed = [name for name, value in fixed(loaded).items() if value != self._fixed[name]]
        if changed:
            raise RefusedError(f"{' and '.join(changed)} cannot change while running: restart")

    async def renew_list(self) -> None:
        """Publish the data folder's own list again now and every day, long before it ends, where
        client certificates are verified by it.
        """
        while True:
            if self.certificates.own:
                try:
                    await asyncio.to_thread(self._renew)
                except Exception as error:  # whoever cannot read the authority's key, for one
                    log.error(
                        "the list of revoked certificates could not be renewed, trying again"
                        " tomorrow; before it ends, run `guarita certificate crl`: %s",
                        error,
                    )
            await asyncio.sleep(DAY_S)

    def _renew(self) -> None:
        publish(Authority.open(self.folder.ca_path))

    def close(self) -> None:
        """Finish what is queued and close everything."""
        self._stack.close()
