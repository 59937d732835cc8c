"""The layers of a configured profile: the one it is like with settings of its own, or new ones."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from guarita.config.mistakes import nearest
from guarita.layers.account import NOT_ACTIVE, AccountActive
from guarita.layers.account_header import AccountHeader
from guarita.layers.address import AddressList
from guarita.layers.api_key import ApiKeyAuth
from guarita.layers.api_key_header import ApiKeyHeader
from guarita.layers.certificate import ClientCertificate
from guarita.layers.idempotency import Idempotency, OnMismatch
from guarita.layers.key_case import KeyCase
from guarita.layers.lockout import Lockout
from guarita.layers.media_type import MediaType
from guarita.layers.permission import Permission
from guarita.layers.rate_limit import RateLimit
from guarita.layers.signature import BodySignature
from guarita.layers.well_formed import WellFormed
from guarita.outage import REFUSE, OnOutage
from guarita.pipeline import Layer
from guarita.profiles.delfinance import COUNTED
from guarita.routes import RouteTable

HEADER_KEYS = "delfinance"
"""The profile whose keys are one secret, sent in a header of its own (`guarita.keyring.kinds`)."""

MAX_BODY = 1_048_576

NEW: dict[str, Callable[[str, RouteTable], dict[str, Any]]] = {
    "well_formed": lambda keys, table: {},
    "media_type": lambda keys, table: {"accepted": frozenset({b"application/json"})},
    "key_case": lambda keys, table: {},
    "api_key": lambda keys, table: {"profile": keys, "on_outage": REFUSE},
    "api_key_header": lambda keys, table: {"profile": HEADER_KEYS, "on_outage": REFUSE},
    "lockout": lambda keys, table: {
        "counted": COUNTED | {NOT_ACTIVE},
        "address_limit": 10,
        "key_limit": 30,
        "key_addresses": 3,
        "window_s": 900,
    },
    "certificate": lambda keys, table: {"ttl_s": 3600, "on_outage": REFUSE},
    "address": lambda keys, table: {},
    "account": lambda keys, table: {},
    "account_header": lambda keys, table: {},
    "signature": lambda keys, table: {"max_body": MAX_BODY},
    "rate_limit": lambda keys, table: {},
    "idempotency": lambda keys, table: {"keep_s": 86_400, "on_outage": REFUSE},
    "permission": lambda keys, table: {"table": table},
}
"""Layer → the members of a new one, by whose keys are accepted and the table of operations. What
is not there must be set."""

KINDS: dict[str, type[Any]] = {
    kind.name: kind
    for kind in (
        WellFormed,
        MediaType,
        KeyCase,
        ApiKeyAuth,
        ApiKeyHeader,
        Lockout,
        ClientCertificate,
        AddressList,
        AccountActive,
        AccountHeader,
        BodySignature,
        RateLimit,
        Idempotency,
        Permission,
    )
}

CREDENTIALS: dict[str, Callable[[Any], bytes]] = {
    "api_key": lambda layer: b"authorization",
    "api_key_header": lambda layer: bytes(layer.header),
    "signature": lambda layer: b"hmac",
}
"""Layer → the header it reads a caller's proof from."""

_MEMBERS = {"max_body_bytes": "max_body", "max_length_bytes": "max_length"}


def make(
    name: str,
    settings: Struct | None,
    base: Layer | None,
    *,
    keys: str | None,
    own_keys: str,
    table: RouteTable,
) -> Layer:
    """The layer `name`: `base` with `settings`, or a new one. `keys`: whose keys are accepted
    where that is set; `own_keys`: whose otherwise, for a new layer.

    Raises:
        ValueError: a setting is missing, or its value is impossible; says which.
    """
    if base is None:
        members = NEW[name](keys or own_keys, table)
    else:
        present: Any = base
        members = {field: getattr(present, field) for field in present.__struct_fields__}
        if name == "permission":
            members["table"] = table
        elif name == "api_key" and keys is not None:
            members["profile"] = keys
    if settings is not None:
        members |= converted(settings)
    kind = KINDS[name]
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in members:
            raise ValueError(f"the layer {name!r} needs the setting {field.name!r}")
    made: Layer = kind(**members)
    return made


def converted(settings: Struct) -> dict[str, Any]:
    """The settings that are given, as a layer takes them. Raises ValueError."""
    given: dict[str, Any] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if value is None:
            continue
        if name == "methods":
            value = frozenset(methods(value))
        elif name == "accepted":
            value = frozenset(media_type(one) for one in value)
        elif name == "header":
            value = header_name(value)
        elif name == "on_outage":
            value = OnOutage(value)
        elif name == "on_mismatch":
            value = OnMismatch(value)
        given[_MEMBERS.get(name, name)] = value
    return given


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def methods(names: list[str]) -> list[str]:
    """Methods as given. Raises ValueError for one that no request has."""
    if not names:
        raise ValueError("names no method; leave it out, or name one such as 'POST'")
    for name in names:
        method(name)
    return names


def method(name: str) -> str:
    """One method. Raises ValueError."""
    if name not in METHODS:
        near = nearest(name.upper(), METHODS)
        raise ValueError(f"there is no method {name!r}{near}")
    return name


def media_type(text: str) -> bytes:
    """A media type, lower case, without parameters. Raises ValueError."""
    kind, slash, rest = text.partition("/")
    if not slash or not kind or not rest or not text.isascii() or text != text.lower():
        raise ValueError(f"{text!r} is no media type; write it as 'application/json'")
    if ";" in text or " " in text:
        raise ValueError(f"{text!r}: leave the parameters out, they do not matter")
    return text.encode()


def header_name(text: str) -> bytes:
    """A header's name in lower case. Raises ValueError."""
    if not text or not all(one.isascii() and (one.isalnum() or one == "-") for one in text):
        raise ValueError(f"header name {text!r}: write letters, digits and hyphens only")
    return text.lower().encode()
