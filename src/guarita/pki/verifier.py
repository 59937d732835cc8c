"""Answers `VerifyCertificate`: chains are verified once and remembered; dates and revocation are
looked at on every ask, which costs a few comparisons while nothing has changed.
"""

from collections.abc import Sequence
from math import inf
from threading import Lock

from guarita.asks import CertificateVerdict, VerifyCertificate
from guarita.pki.revocation import RevocationSource, Standing
from guarita.pki.verify import ChainResult, ChainVerifier

_NOT_LOOKED_AT = Standing(None)
_MEMOS = 64


class _Known:
    """What was found of a chain, and the verdicts that followed from it: by the time a verification
    counts from, (generation, since, until, verdict).
    """

    __slots__ = ("found", "memos")

    def __init__(self, found: ChainResult) -> None:
        self.found = found
        self.memos: dict[float, tuple[int, float, float, CertificateVerdict]] = {}


class _Cache:
    """A bounded memory of chains: two generations, so that a hit writes nothing and what is in use
    survives.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[tuple[bytes, ...], _Known] = {}
        self._old: dict[tuple[bytes, ...], _Known] = {}
        self._writing = Lock()

    def get(self, chain: tuple[bytes, ...]) -> _Known | None:
        known = self._young.get(chain)
        if known is None:
            known = self._old.get(chain)
            if known is not None:
                self.put(chain, known)
        return known

    def put(self, chain: tuple[bytes, ...], known: _Known) -> None:
        with self._writing:
            if len(self._young) >= self._half and chain not in self._young:
                self._old, self._young = self._young, {}
            self._young[chain] = known

    def drop(self, chain: tuple[bytes, ...]) -> None:
        with self._writing:
            self._young.pop(chain, None)
            self._old.pop(chain, None)


class CertificateVerifier:
    """Is this client certificate good? Thread-safe.

    A verdict on a chain is the same for every connection, so it is remembered by the chain, and a
    warm connection costs no verification. Bad chains have a memory of their own: what strangers
    send cannot push out what is in use.

    Attributes:
        verifications: how many chains have been built and their signatures checked so far.
    """

    def __init__(
        self,
        chains: ChainVerifier,
        revocations: RevocationSource | None = None,
        *,
        remember: int = 4096,
        remember_bad: int = 512,
    ) -> None:
        """Without `revocations` nothing is looked up. `remember` and `remember_bad` chains are
        kept, at 2 to 10 kB each.
        """
        self._chains = chains
        self._revocations = revocations
        self._good = _Cache(remember)
        self._bad = _Cache(remember_bad)
        self.verifications = 0

    def answer(self, ask: VerifyCertificate) -> CertificateVerdict:
        """The verdict at `ask.at`. `verified_at` is what the certificate's verification counts
        from. Never raises.
        """
        certificate, at = ask.certificate, ask.at
        chain, counted_from = certificate.chain, certificate.at
        known = self._good.get(chain) or self._bad.get(chain)
        revocations = self._revocations
        generation = 0 if revocations is None else revocations.generation
        if known is not None:
            memo = known.memos.get(counted_from)
            if memo is not None and memo[0] == generation and memo[1] <= at < memo[2]:
                return memo[3]
        if known is None or not known.found.since <= at < known.found.until:
            known = self._verify(chain, at)
        found = known.found
        standing = _NOT_LOOKED_AT
        if revocations is not None and found.fault is None:
            standing = revocations.standing(found.links, counted_from, at)
        verdict = CertificateVerdict(
            found.fault or standing.fault,
            found.serial,
            found.sha256,
            found.subject,
            counted_from,
            standing.lapsed,
        )
        if len(known.memos) >= _MEMOS:
            known.memos.clear()
        known.memos[counted_from] = (
            generation,
            max(found.since, standing.since),
            min(found.until, standing.until),
            verdict,
        )
        return verdict

    def explain(self, chain: Sequence[bytes], at: float) -> str:
        """What is wrong with `chain` (DER) but revocation, in words for an operator; "" when
        nothing is.
        """
        return self._chains.verify(chain, at).detail

    def _verify(self, chain: tuple[bytes, ...], at: float) -> _Known:
        self.verifications += 1
        known = _Known(self._chains.verify(chain, at))
        if known.found.since > -inf or known.found.until < inf:
            bad = known.found.fault is not None
            (self._good if bad else self._bad).drop(chain)
            (self._bad if bad else self._good).put(chain, known)
        return known
