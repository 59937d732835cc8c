"""What the worlds of every page have in common: what a door (`doors`) needs of a world."""

from collections.abc import Iterable
from typing import Any, ClassVar

from guarita.asks import Ask
from guarita.decision import Decision, Pairs
from guarita.facts import Facts, Headers, PresentedCertificate
from guarita.profile import Profile
from guarita.serving.backend import Backend
from guarita.serving.certificates import CertificateHeader
from guarita.serving.edge import NO_PROXIES, TrustedProxies
from tests.vectors_common import Wire

HeaderPairs = list[tuple[bytes, bytes]]


class World:
    """Everything around the gate. The clock moves only when a case says so, or a pause does.

    Attributes:
        secure: requests come over TLS.
        profile: what is decided by.
        proxies: the edges that are believed.
        at: the time, Unix seconds.
        calls: how often the application has run.
        seen: the last request as it received it.
        noted: the decisions, as the decision log got them.
        asked: what the stores were asked.
    """

    secure: ClassVar[bool] = False

    def __init__(self, profile: Profile, trusted_proxies: Iterable[str] | None, at: float) -> None:
        self.profile = profile
        self.proxies = NO_PROXIES if trusted_proxies is None else TrustedProxies(trusted_proxies)
        self.at = at
        self.calls = 0
        self.seen: dict[str, Any] = {}
        self.noted: list[Decision] = []
        self.asked: list[Ask] = []

    def answer(self, ask: Ask) -> Any:
        """What a store says."""
        raise NotImplementedError

    def answer_core(self, ask: Ask, wire: Wire) -> Any:
        """What the core is told about a request: there is no adapter that would know it."""
        return self.answer(ask)

    def answered(self) -> tuple[int, Pairs, bytes]:
        """Status, headers and body of what the application answers."""
        raise NotImplementedError

    def run(
        self, query: bytes, headers: HeaderPairs | None, body: bytes
    ) -> tuple[int, Pairs, bytes]:
        """The application is called; `headers` None: the door has none."""
        self.calls += 1
        self.seen = {"query": query, "body": body, "headers": headers}
        return self.answered()

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def backend(self) -> Backend:
        return Backend(self, self, self)

    def presented(self, wire: Wire) -> PresentedCertificate | None:
        """The client certificate of a request."""
        return None

    def certificate_header(self, wire: Wire) -> CertificateHeader | None:
        """How a trusted edge passes it on."""
        return None

    def facts(self, wire: Wire) -> Facts:
        """A request as the core gets it."""
        headers = Headers(wire.headers)
        return Facts(
            wire.method,
            wire.path.decode("latin-1"),
            wire.query,
            headers,
            wire.peer,
            self.proxies.client(wire.peer, headers.all(b"x-forwarded-for")),
            self.at,
            "ray",
            f"token-{id(wire)}-{self.at}",
            self.presented(wire),
        )


def changed(struct: Any, members: dict[str, Any]) -> Any:
    """A layer or a record with other members, checked as when it was made."""
    present = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return type(struct)(**{**present, **members})
