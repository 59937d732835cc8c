"""The world around the gate that a case of `tests/vectors/delfinance` is played in: keys, the
counter of refused attempts, verdicts on certificates (the case gives them; `pki` has tests of its
own), clock, application.
"""

from typing import Any

import msgspec

from guarita.addresses import AddressSet
from guarita.asks import (
    Ask,
    BlockKey,
    CertificateFault,
    CertificateVerdict,
    CountFault,
    Faults,
    FaultsOf,
    FindKey,
    Outage,
    VerifyCertificate,
)
from guarita.decision import Pairs
from guarita.facts import Headers, PresentedCertificate
from guarita.layers.certificate import ClientCertificate
from guarita.layers.lockout import Lockout
from guarita.outage import OnOutage
from guarita.pipeline import Layer
from guarita.profile import Profile
from guarita.profiles.delfinance import PRODUCTION, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    Verified,
)
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES
from tests import vectors_delfinance as v
from tests import worlds_common
from tests.doors import through_core
from tests.vectors_common import Wire
from tests.vectors_delfinance_world import NOW, PRINCIPALS, Principal
from tests.worlds_common import changed

ENVIRONMENTS = {
    "production": PRODUCTION,
    "homologation": UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST,
}


class CountingStore:
    """The reference for the counter of refused attempts: fixed windows, plainly written.

    Attributes:
        windows: (key, window length, window number) → address → attempts.
    """

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int, int], dict[str, int]] = {}

    def answer(self, ask: CountFault | FaultsOf) -> Faults:
        window = (ask.key, ask.window_s, int(ask.at // ask.window_s))
        counts = self.windows.setdefault(window, {})
        if isinstance(ask, CountFault):
            counts[ask.address] = counts.get(ask.address, 0) + 1
        return Faults(counts.get(ask.address, 0), sum(counts.values()), len(counts))

    def total(self, key: str) -> int:
        """All attempts ever counted with `key`."""
        return sum(sum(counts.values()) for (of, *_), counts in self.windows.items() if of == key)


class World(worlds_common.World):
    """Keys, counter, verdicts on certificates, clock, application."""

    secure = True

    def __init__(self, given: v.Given, first: v.Request | None = None, at: float = NOW) -> None:
        profile = _profile(given.environment, given.settings)
        super().__init__(profile, given.settings.trusted_proxies, at)
        self.given = given
        self.application = v.Answer()
        self.blocks: list[BlockKey] = []
        self.store = CountingStore()
        self.outage = v.Outage()
        self.accounts = {
            "acc_1": Account("acc_1", "First"),
            "acc_2": Account("acc_2", "Other"),
        }
        self.keys = {
            sender: _key(principal, v.KeyState(allowlist=given.key.allowlist))
            for sender, principal in PRINCIPALS.items()
        }
        for earlier in given.earlier:
            self._play(earlier, first or v.Request())
        self.apply(v.Change(key=given.key, account=given.account, outage=given.outage))

    def _play(self, earlier: v.Earlier, first: v.Request) -> None:
        """Attempts that lack the account header: refused for that if for nothing earlier."""
        headers = [h for h in first.headers if h[0] == "x-forwarded-for"]
        request = v.Request(
            peer=earlier.peer or first.peer,
            headers=(("x-delbank-api-key", "{api_key}"), *headers),
        )
        for _ in range(earlier.times):
            through_core(self, request.wire())

    def apply(self, change: v.Change | None) -> None:
        """What an operator does between two requests."""
        if change is None:
            return
        if change.key is not None:
            self.keys["first"] = _key(PRINCIPALS["first"], change.key)
        if change.account is not None:
            status = AccountStatus(change.account.status)
            self.accounts["acc_1"] = Account("acc_1", "First", status)
        if change.outage is not None:
            self.outage = change.outage

    def counted(self) -> int:
        """The first key's refused attempts so far."""
        return self.store.total(PRINCIPALS["first"].key_id)

    def answer(self, ask: Ask) -> Any:
        self.asked.append(ask)
        match ask:
            case FindKey(api_key):
                self._reach(self.outage.keyring)
                return Verified(self._found(api_key))
            case CountFault() | FaultsOf():
                self._reach(self.outage.counter)
                return self.store.answer(ask)
            case BlockKey(key, reason):
                self._reach(self.outage.keyring)
                self.blocks.append(ask)
                blocked = {"status": KeyStatus.BLOCKED, "blocked_reason": reason}
                for sender, one in self.keys.items():
                    if one.client_id == key:
                        self.keys[sender] = msgspec.structs.replace(one, **blocked)
                return None
            case VerifyCertificate(presented, at):
                self._reach(self.outage.certificates)
                assert at == self.at
                return _verdict(msgspec.json.decode(presented.chain[0], type=v.Certificate), at)
        raise AssertionError(f"nobody answers {type(ask).__name__}")

    @staticmethod
    def _reach(out_of_reach: bool) -> None:
        if out_of_reach:
            raise Outage("out of reach, says the case")

    def _found(self, api_key: bytes) -> ApiKey | None:
        for sender, principal in PRINCIPALS.items():
            if principal.api_key.encode() == api_key:
                key = self.keys[sender]
                return msgspec.structs.replace(key, account=self.accounts[principal.account])
        return None

    def backend(self) -> Backend:
        return Backend(self, self, self, blocker=self, certificates=self)

    def presented(self, wire: Wire) -> PresentedCertificate | None:
        """The certificate of a request; its one "DER" is what the case says of it."""
        assert isinstance(wire, v.Wire)
        if wire.certificate is None:
            return None
        return PresentedCertificate((msgspec.json.encode(wire.certificate),), self.at, "tls-1")

    def certificate_header(self, wire: Wire) -> CertificateHeader | None:
        return None if self.proxies is NO_PROXIES else _Edge(self.presented(wire))

    def answered(self) -> tuple[int, Pairs, bytes]:
        app = self.application
        pairs = tuple((name.encode(), value.encode()) for name, value in app.headers)
        return app.status, pairs, app.body.encode()


class _Edge(CertificateHeader):
    """A trusted edge passes on the case's certificate; how it is written is tested elsewhere."""

    def __init__(self, passed_on: PresentedCertificate | None) -> None:
        super().__init__("rfc9440")
        self.passed_on = passed_on

    def presented(self, headers: Headers, arrival: float) -> PresentedCertificate | None:
        return self.passed_on


def _key(principal: Principal, state: v.KeyState) -> ApiKey:
    status = KeyStatus(state.status)
    return ApiKey(
        principal.key_id,
        Account(principal.account, ""),
        (),
        profile=state.profile,
        status=status,
        blocked_reason="by hand" if status is KeyStatus.BLOCKED else None,
        expires_at=state.expires_at,
        allowlist=AddressSet(state.allowlist),
        signs=False,
        certificate_mode=CertificateMode(state.mode),
        certificates=tuple(
            CertificatePin(
                pin.serial,
                pin.sha256,
                valid_until=pin.valid_until,
                revoked_at=pin.revoked_at,
            )
            for pin in state.pins
        ),
        shown=principal.api_key[:6],
    )


def _verdict(found: v.Certificate, at: float) -> CertificateVerdict:
    return CertificateVerdict(
        None if found.fault is None else CertificateFault(found.fault),
        found.serial,
        found.sha256,
        found.subject,
        at if found.verified_at is None else found.verified_at,
        found.lapsed,
    )


def _profile(environment: str, settings: v.Settings) -> Profile:
    profile = ENVIRONMENTS[environment]
    replacements: list[Layer] = []
    for layer in profile.classes[0].layers:
        other: dict[str, Any] = {}
        if isinstance(layer, Lockout):
            limits = ("address_limit", "key_limit", "key_addresses")
            other = {name: getattr(settings, name) for name in limits}
            if settings.lockout_on_outage is not None:
                other["on_outage"] = OnOutage(settings.lockout_on_outage)
        elif isinstance(layer, ClientCertificate):
            other = {"ttl_s": settings.validation_ttl_s}
        other = {name: value for name, value in other.items() if value is not None}
        if other:
            replacements.append(changed(layer, other))
    return profile.with_layers(*replacements)
