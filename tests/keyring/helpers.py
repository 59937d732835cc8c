"""What the keyring's tests share: a driven clock, sample records, questions to a verifier."""

from guarita.addresses import AddressSet
from guarita.asks import FindKey, VerifyCredential
from guarita.keyring import IssuedKey
from guarita.records import Account, ApiKey, CertificatePin, SecretHash

PEPPER = bytes(range(32))
NOW = 1_700_000_000.0

# Seed L458-471.
PERMISSIONS = frozenset(
    {
        "pix:write",
        "pix:read",
        "transfer:write",
        "transfer:read",
        "payment:write",
        "payment:read",
        "account:write",
        "account:read",
        "statement:read",
    }
)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def account(number: int = 1) -> Account:
    return Account(f"acc_{number:016x}", f"Loja {number}")


def key(number: int = 1, owner: int = 1) -> ApiKey:
    return ApiKey(
        client_id=f"cli_{number:016x}",
        account=account(owner),
        secrets=(SecretHash(number.to_bytes(32)),),
        permissions=frozenset({"pix:write", "transfer:read"}),
        allowlist=AddressSet(["203.0.113.45", "2001:db8::/32"]),
        created_at=NOW,
    )


def asks(issued: IssuedKey) -> VerifyCredential:
    """The question a request with these credentials puts."""
    return VerifyCredential(issued.key.client_id.encode(), issued.secret.reveal().encode())


def finds(issued: IssuedKey) -> FindKey:
    """The question a request with this API key puts."""
    return FindKey(issued.secret.reveal().encode())


def pin(number: int = 1, *, not_after: float = NOW + 90 * 86_400) -> CertificatePin:
    """A certificate that is to be registered."""
    return CertificatePin(
        serial=f"{number:016X}",
        sha256=number.to_bytes(32).hex(":").upper(),
        subject=f"CN=loja-{number}",
        not_before=NOW - 86_400,
        not_after=not_after,
    )
