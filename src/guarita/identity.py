"""Who was admitted: what the application behind the gate gets to know."""

from msgspec import Struct

from guarita.decision import Known
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.layers.certificate import VerifiedCertificate
from guarita.layers.idempotency import Reservation


class Identity(Struct, frozen=True):
    """The admitted caller, in the ASGI scope under "guarita".

    Attributes:
        account: account id.
        key: the API key's client id.
        permissions: what the key may do.
        address: the client's IP address.
        ray: the Ray ID of the request.
        certificate: the client certificate it was admitted with, or None.
        reservation: the idempotency reservation the request holds, or None; an application that
            keeps outcomes in its own database transaction stores them under
            `reservation.scope.digest`.
    """

    account: str
    key: str
    permissions: frozenset[str]
    address: str | None
    ray: str
    reservation: Reservation | None = None
    certificate: VerifiedCertificate | None = None


def identity_of(facts: Facts, known: Known) -> Identity:
    """The identity of an admitted request."""
    key = known[Credential].key
    return Identity(
        key.account.account_id,
        key.client_id,
        key.permissions,
        facts.client,
        facts.ray,
        known.get(Reservation),
        known.get(VerifiedCertificate),
    )
