"""Ray IDs: the name of one request, on its response, in the decision log and for support."""

import re
from random import getrandbits

RAY_HEADER = b"ray-id"
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9_-]{8,64}")


def new_ray(at: float) -> str:
    """A fresh Ray ID: 12 hexadecimal digits of milliseconds since 1970, then 16 random ones;
    ordered by time of arrival.

    It identifies, it does not authenticate: ordinary randomness is enough (and is reseeded in
    forked workers).
    """
    return f"{int(at * 1000):012x}{getrandbits(64):016x}"


def believable_ray(value: bytes | None) -> str | None:
    """An inbound Ray ID (from a trusted proxy) if it is 8 to 64 letters, digits, "-" or "_"; else
    None.
    """
    if value is None or not _ACCEPTABLE.fullmatch(value):
        return None
    return value.decode("ascii")
