"""The two kinds of API key: how their credentials look, and what can be said of them at all.

A profile's name decides which kind its keys are; every other difference follows from here.
"""

from msgspec import Struct

from guarita.keyring.errors import BadValue


class Kind(Struct, frozen=True):
    """What the keys of a profile have in common.

    Attributes:
        id_prefix, secret_prefix: how the public id and the secret begin.
        secret_bytes: random bytes in a secret.
        found_by_secret: the secret is all a caller sends; the id is for operators only. Such a key
            has certificates, and neither permissions nor body signatures.
        shown: how many first characters of a secret are kept for display.
    """

    id_prefix: str
    secret_prefix: str
    secret_bytes: int
    found_by_secret: bool = False
    shown: int = 0


PAIR = Kind("cli_", "sk_", 33)
"""client_id and client_secret (Minha Konta seed L58-61; its sample secret has this length)."""

SINGLE = Kind("key_", "dk_", 32, found_by_secret=True, shown=6)
"""One API key of 256 random bits (DESIGN section 3, "Delfinance's API key")."""


def kind_of(profile: str) -> Kind:
    """The kind of key a profile has."""
    return SINGLE if profile == "delfinance" else PAIR


def refuse_permissions(profile: str) -> None:
    """Raises BadValue where keys of `profile` have no permissions."""
    if kind_of(profile).found_by_secret:
        raise BadValue(f"keys of the profile {profile} have no permissions; leave them out")


def refuse_certificates(profile: str) -> None:
    """Raises BadValue where keys of `profile` have no client certificates."""
    if not kind_of(profile).found_by_secret:
        raise BadValue(
            f"keys of the profile {profile} have no client certificates; those of delfinance do"
        )
