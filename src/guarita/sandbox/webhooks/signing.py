"""The headers of a delivery: what is signed, how, and what they are called (fact sheet §7.2).

What belongs here: pure functions. Verifying is the `receiver`'s side.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

DEFAULT_PREFIX = "X-MinhaKonta-"
SCHEME = "sha256="

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}-")  # what RFC 9110 §5.1 allows, less oddities


@dataclass(frozen=True, slots=True)
class HeaderNames:
    """The four headers under a prefix. Raises `ValueError` for a prefix that is not letters, digits
    and hyphens ending in a hyphen: fact sheet §8.17 tells why the prefix is a setting.
    """

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ValueError(
                "a header prefix is a letter, then letters, digits and hyphens, and ends in a"
                f" hyphen (such as {DEFAULT_PREFIX}), not {self.prefix!r}"
            )

    @property
    def signature(self) -> str:
        return f"{self.prefix}Signature"

    @property
    def timestamp(self) -> str:
        return f"{self.prefix}Timestamp"

    @property
    def event_id(self) -> str:
        return f"{self.prefix}Event-Id"

    @property
    def event_type(self) -> str:
        return f"{self.prefix}Event-Type"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256, under `secret`, of timestamp (Unix seconds), a dot
    and the raw body (§7.2).
    """
    signed = timestamp.encode() + b"." + body
    return SCHEME + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def headers(
    names: HeaderNames, secret: str, *, event_id: str, event_type: str, body: bytes, at_s: int
) -> dict[str, str]:
    """The headers of one attempt, made at `at_s` (Unix seconds)."""
    timestamp = str(at_s)
    return {
        "Content-Type": "application/json",
        "User-Agent": "guarita-sandbox",
        names.signature: signature(secret, timestamp, body),
        names.timestamp: timestamp,
        names.event_id: event_id,
        names.event_type: event_type,
    }
