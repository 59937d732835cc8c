"""Which certificates are revoked, looked up without I/O: a request looks into a prebuilt set, and
threads beside the request path keep the lists current.

A source that turns bad leaves the list that was in force, which then ends by itself at its
nextUpdate.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from threading import Event, Lock, Thread
from typing import Literal, Protocol

from cryptography import x509
from msgspec import Struct

from guarita.asks import CertificateFault
from guarita.pki.crl import CrlError, RevocationList, read_lists
from guarita.pki.crl_sources import FileSource, Source, UrlSource, fetch_list
from guarita.pki.verify import Link, issuer_id

_log = logging.getLogger("guarita.pki")


class Standing(Struct, frozen=True):
    """What revocation says about a chain. Holds in [since, until) (Unix seconds) for as long as
    the source's `generation` stays the same.

    Attributes:
        fault: REVOKED, REVOCATION_UNKNOWN or None.
        lapsed: what the verification rested on has ended since.
    """

    fault: CertificateFault | None
    lapsed: bool = False
    since: float = -inf
    until: float = inf


class RevocationSource(Protocol):
    """Who knows about revocation. `Revocations` knows by lists; OCSP takes its place here. Both
    members are on the request path: no I/O.
    """

    @property
    def generation(self) -> int:
        """Changes whenever an earlier `Standing` may no longer hold."""
        ...

    def standing(self, links: Sequence[Link], counted_from: float, at: float) -> Standing:
        """What is known at `at` of a chain whose verification counts from `counted_from` (Unix
        seconds).
        """
        ...


class IssuerState(Struct, frozen=True):
    """How one authority's list stands, for operators: times are Unix seconds, `source` is a file
    or URL.
    """

    issuer: str
    state: Literal["missing", "current", "stale"]
    source: str = ""
    this_update: float = 0.0
    next_update: float = 0.0
    entries: int = 0


class Revocations:
    """Revocation lists of the known authorities. Thread-safe."""

    def __init__(
        self,
        authorities: Sequence[x509.Certificate],
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        urls: Sequence[str] = (),
        stale: Literal["refuse"] | float = "refuse",
        scope: Literal["chain", "leaf"] = "chain",
        unsafe_sha1: bool = False,
        poll_s: float = 1.0,
        url_every_s: float = 3600.0,
        url_retry_s: float = 60.0,
        clock: Callable[[], float] = time.time,
        fetch: Callable[[str], bytes] = fetch_list,
    ) -> None:
        """Reads every source.

        `stale`: what a list past its nextUpdate is good for: nothing ("refuse"), or that many
        seconds more. `scope`: whether every certificate below the root is looked up, or the
        client's own only. `unsafe_sha1` believes lists signed with SHA-1. `clock` gives Unix
        seconds; `fetch` replaces HTTP.

        Raises:
            CrlError: a file cannot be read or believed, or a URL is not acceptable. One that cannot
                be reached is no error: what it should have told is unknown until it can.
            ValueError: `stale` is negative, or `scope` is neither.
        """
        if stale != "refuse" and not 0 <= stale < inf:
            raise ValueError('stale must be "refuse" or a number of seconds, 0 or more')
        if scope not in ("chain", "leaf"):
            raise ValueError('scope must be "chain" or "leaf"')
        if not files and not urls:
            raise CrlError("no file and no URL of a revocation list is given")

        def read(data: bytes, name: str) -> list[RevocationList]:
            return read_lists(data, name, self._authorities, clock(), unsafe_sha1=unsafe_sha1)

        self._authorities = tuple(authorities)
        self._tolerated_s = 0.0 if stale == "refuse" else float(stale)
        self._leaf_only = scope == "leaf"
        self._poll_s = poll_s
        self._files: list[Source] = [FileSource(os.fspath(file), read) for file in files]
        self._urls: list[Source] = [
            UrlSource(url, read, every_s=url_every_s, retry_s=url_retry_s, clock=clock, fetch=fetch)
            for url in urls
        ]
        self._in_force: Mapping[bytes, RevocationList] = {}
        self._generation = 0
        self._reading = {"files": Lock(), "urls": Lock()}
        self._merging = Lock()
        self._stop = Event()
        self._threads: list[Thread] = []
        self.refresh()
        problems = [source.problem for source in self._files if source.problem]
        if problems:
            raise CrlError("; ".join(problems))

    @property
    def generation(self) -> int:
        """Grows with every list that comes into force."""
        return self._generation

    def standing(self, links: Sequence[Link], counted_from: float, at: float) -> Standing:
        """A certificate on a list is REVOKED, however old the list. Without a list that is current
        the standing is unknown; where it was current at `counted_from`, it has lapsed.
        """
        in_force = self._in_force
        lapsed, unknown, since, until = False, False, -inf, inf
        for link in links[:1] if self._leaf_only else links:
            found = in_force.get(link.issuer)
            if found is None:
                unknown = True
                continue
            if link.serial in found.serials:
                return Standing(CertificateFault.REVOKED)
            ends = found.next_update + self._tolerated_s
            if at < ends:
                until = min(until, ends)
                continue
            since = max(since, ends)
            if counted_from < ends:
                lapsed = True
            else:
                unknown = True
        fault = CertificateFault.REVOCATION_UNKNOWN if unknown else None
        return Standing(fault, lapsed and not unknown, since, until)

    def states(self, at: float) -> list[IssuerState]:
        """How every known authority's list stands at `at`, for operators."""
        states: dict[bytes, IssuerState] = {}
        for authority in self._authorities:
            issuer = issuer_id(authority)
            found = self._in_force.get(issuer)
            if found is None:
                states[issuer] = IssuerState(authority.subject.rfc4514_string(), "missing")
                continue
            states[issuer] = IssuerState(
                found.issuer_name,
                "current" if at < found.next_update + self._tolerated_s else "stale",
                found.source,
                found.this_update,
                found.next_update,
                len(found.serials),
            )
        return list(states.values())

    def problems(self) -> list[str]:
        """What is wrong with the sources at present; each names its file or URL."""
        return [source.problem for source in (*self._files, *self._urls) if source.problem]

    def refresh(self) -> None:
        """Reads what has changed or is due, now. Never raises: a bad source is logged when it turns
        bad, listed by `problems`, and tried again.
        """
        self._refresh("files", self._files)
        self._refresh("urls", self._urls)

    def watch(self) -> None:
        """Starts the threads that refresh every `poll_s` seconds, until `close`: one for files, one
        for URLs, so that a slow network delays no file.
        """
        for name, sources in (("files", self._files), ("urls", self._urls)):
            if sources and not any(thread.name.endswith(name) for thread in self._threads):
                thread = Thread(
                    target=self._watch,
                    args=(name, sources),
                    name=f"guarita-revocation-{name}",
                    daemon=True,
                )
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Ends the threads, of which one in the middle of a fetch ends after it; what is in force
        stays readable.
        """
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _watch(self, name: str, sources: Sequence[Source]) -> None:
        while not self._stop.wait(self._poll_s):
            try:
                self._refresh(name, sources)
            except Exception:  # the thread must outlive whatever a source does
                _log.exception("refreshing revocation lists failed")

    def _refresh(self, name: str, sources: Sequence[Source]) -> None:
        with self._reading[name]:
            changed = [source.refresh() for source in sources]
        if any(changed):
            self._merge()

    def _merge(self) -> None:
        with self._merging:
            newest: dict[bytes, RevocationList] = {}
            for source in (*self._files, *self._urls):
                for each in source.lists:
                    known = newest.get(each.issuer)
                    if known is None or each.this_update > known.this_update:
                        newest[each.issuer] = each
            self._in_force = newest
            self._generation += 1
