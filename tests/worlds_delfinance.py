"""The world around the gate that a case of `tests/vectors/delfinance` is played in: keys, the
counter of refused attempts, verdicts on certificates (the case gives them; `pki` has tests of its
own), clock, application.
"""

from typing import Any, cast

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
from guarita.decision import Admit, Decision, End, Outcome, Pairs, Refuse
from guarita.drivers import run
from guarita.facts import Facts, Headers, PresentedCertificate
from guarita.layers.certificate import ClientCertificate
from guarita.layers.lockout import Lockout
from guarita.outage import OnOutage
from guarita.pipeline import Layer, decide, settle
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
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from tests import vectors_delfinance as v
from tests.vectors_delfinance_world import NOW, PRINCIPALS, Principal

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


class World:
    """Everything around the gate: keys, counter, verdicts on certificates, clock, application. The
    clock moves only when a step does.
    """

    def __init__(self, given: v.Given, first: v.Request | None = None, at: float = NOW) -> None:
        self.at = at
        self.given = given
        self.application = v.Answer()
        self.calls = 0
        self.blocks: list[BlockKey] = []
        self.asked: list[Ask] = []
        self.noted: list[Decision] = []
        self.store = CountingStore()
        self.outage = v.Outage()
        proxies = given.settings.trusted_proxies
        self.proxies = TrustedProxies(proxies) if proxies is not None else NO_PROXIES
        self.profile = _profile(given.environment, given.settings)
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
            self.decided(request.wire())

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

    def presented(self, wire: v.Wire) -> PresentedCertificate | None:
        """The certificate of a request; its one "DER" is what the case says of it."""
        if wire.certificate is None:
            return None
        return PresentedCertificate((msgspec.json.encode(wire.certificate),), self.at, "tls-1")

    def decided(self, wire: v.Wire) -> tuple[Decision, Outcome, Pairs]:
        """What the pipeline decides on a request, how it is answered, and the headers that settling
        adds; the application's answer is put in by hand.
        """
        headers = Headers(wire.headers)
        client = self.proxies.client(wire.peer, headers.all(b"x-forwarded-for"))
        facts = Facts(
            wire.method,
            wire.path.decode("latin-1"),
            wire.query,
            headers,
            wire.peer,
            client,
            self.at,
            "ray",
            "token",
            self.presented(wire),
        )
        layers = self.profile.route_class(facts.method, facts.path).layers
        decision = run(decide(layers, facts), self.answer)
        if isinstance(decision.result, Admit):
            self.calls += 1
            app = self.application
            outcome = Outcome(End.ANSWERED, app.status, header_pairs(app), app.body.encode())
        else:
            assert isinstance(decision.result, Refuse), "nothing is ever replayed here"
            said = self.profile.respond(decision.result)
            reason = decision.result.reason
            outcome = Outcome(End.ANSWERED, said.status, said.headers, said.body, reason)
        return decision, outcome, run(settle(decision.settles, outcome), self.answer)


def header_pairs(app: v.Answer) -> list[tuple[bytes, bytes]]:
    """The headers of the application's answer."""
    return [(name.encode(), value.encode()) for name, value in app.headers]


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
        changed: dict[str, Any] = {}
        if isinstance(layer, Lockout):
            limits = ("address_limit", "key_limit", "key_addresses")
            changed = {name: getattr(settings, name) for name in limits}
            if settings.lockout_on_outage is not None:
                changed["on_outage"] = OnOutage(settings.lockout_on_outage)
        elif isinstance(layer, ClientCertificate):
            changed = {"ttl_s": settings.validation_ttl_s}
        changed = {name: value for name, value in changed.items() if value is not None}
        if changed:
            present = {field: getattr(layer, field) for field in cast(Any, layer).__struct_fields__}
            replacements.append(cast(Any, type(layer))(**{**present, **changed}))
    return profile.with_layers(*replacements)
