"""What a `[profile.NAME]` table may hold: settings of layers, and a user's own API.

A setting of a layer that is left out stays as the profile it is like has it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Methods = list[str]
OnOutage = Literal["admit", "refuse"]
Positive = Annotated[int, Meta(ge=1)]


class RouteSettings(Struct, frozen=True):
    """One operation of the API."""

    method: Annotated[str, Meta(description="`GET`, `POST`, …")]
    path: Annotated[
        str, Meta(description="Below the prefix; `:name` is a parameter: `/orders/:id`.")
    ]
    permission: Annotated[str, Meta(description="What a key must hold: `orders:write`.")]


class ClassSettings(Struct, frozen=True):
    """One class of requests and the layers they pass, in order. First match first; the last class
    takes everything else and names neither methods nor paths."""

    name: Annotated[str, Meta(description="As the decision log calls it.")]
    layers: Annotated[list[str], Meta(description="Names of layers, first to last.")]
    methods: Annotated[
        Methods | None, Meta(description="The methods it takes; none in the last class.")
    ] = None
    paths: Annotated[
        list[str] | None,
        Meta(description="Exact paths below the prefix that it takes. Default: all."),
    ] = None


class WordingSettings(Struct, frozen=True):
    """The response to one reason. The table's name is the reason: `"rate_limit.too_many"`."""

    status: Annotated[Annotated[int, Meta(ge=400, le=599)], Meta(description="HTTP status.")]
    body: Annotated[
        Any,
        Meta(
            description="The JSON document, as a TOML table, list or text; `{limit}` and the like "
            "are filled in where the reason has values."
        ),
    ]
    headers: Annotated[dict[str, str], Meta(description="Further headers, filled in likewise.")] = (
        field(default_factory=dict)
    )


class MediaTypeSettings(Struct, frozen=True):
    """Layer `media_type`."""

    accepted: Annotated[
        list[str] | None, Meta(description="Media types, lower case, without parameters.")
    ] = None
    methods: Annotated[Methods | None, Meta(description="The methods it looks at.")] = None


class ApiKeyHeaderSettings(Struct, frozen=True):
    """Layer `api_key_header`: a key that is one secret, in a header of its own."""

    header: Annotated[str | None, Meta(description="The header's name.")] = None


class AccountHeaderSettings(Struct, frozen=True):
    """Layer `account_header`: the account named in a header must be the key's own."""

    header: Annotated[str | None, Meta(description="The header's name.")] = None


class LockoutSettings(Struct, frozen=True):
    """Layer `lockout`."""

    address_limit: Annotated[
        Positive | None, Meta(description="Refusals per key, address and window.")
    ] = None
    key_limit: Annotated[
        Positive | None,
        Meta(description="Refusals per key and window, from listed addresses, that block the key."),
    ] = None
    key_addresses: Annotated[
        Positive | None, Meta(description="From how many addresses they must have come.")
    ] = None
    window_s: Annotated[Positive | None, Meta(description="Length of the window.")] = None
    on_outage: Annotated[OnOutage | None, Meta(description="When the counter is out of reach.")] = (
        None
    )
    ipv6_prefix: Annotated[
        Annotated[int, Meta(ge=1, le=128)] | None,
        Meta(description="IPv6 clients that are not listed are counted by network."),
    ] = None


class CertificateSettings(Struct, frozen=True):
    """Layer `certificate`. What is demanded (a registered certificate, any valid one, none) is
    each key's own mode."""

    ttl_s: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="How long a verification counts.")
    ] = None


class SignatureSettings(Struct, frozen=True):
    """Layer `signature`."""

    max_body_bytes: Annotated[Positive | None, Meta(description="Longest body read.")] = None
    accept_raw: Annotated[
        bool | None, Meta(description="Accept signatures over the bytes as sent.")
    ] = None
    accept_canonical: Annotated[
        bool | None, Meta(description="Accept signatures over their canonical text.")
    ] = None
    methods: Annotated[Methods | None, Meta(description="The methods that are signed.")] = None
    erlang_floats: Annotated[
        bool | None, Meta(description="Canonical floats in Erlang's shortest form.")
    ] = None


class RateLimitSettings(Struct, frozen=True):
    """Layer `rate_limit`. In a profile that is like none, the first three must be given."""

    limit: Annotated[Positive | None, Meta(description="Requests per address and window.")] = None
    window_s: Annotated[Positive | None, Meta(description="Length of the window.")] = None
    on_outage: Annotated[OnOutage | None, Meta(description="When the counter is out of reach.")] = (
        None
    )
    ipv6_prefix: Annotated[
        Annotated[int, Meta(ge=1, le=128)] | None,
        Meta(description="IPv6 clients are counted together by network; 128: each address."),
    ] = None


class IdempotencySettings(Struct, frozen=True):
    """Layer `idempotency`."""

    keep_s: Annotated[Positive | None, Meta(description="How long a record lives.")] = None
    max_length_bytes: Annotated[Positive | None, Meta(description="Longest key.")] = None
    wait_s: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="How long a second request waits for the first."),
    ] = None
    on_mismatch: Annotated[
        Literal["replay", "refuse"] | None, Meta(description="Same key, other body.")
    ] = None
    methods: Annotated[
        Methods | None, Meta(description="The methods it works on; each must be signed.")
    ] = None


class ProfileSettings(Struct, frozen=True):
    """A policy. `[profile.minhakonta]` and `[profile.delfinance]` change settings of the layers of
    those two; every other name is an API of your own."""

    like: Annotated[
        Literal["minhakonta", "delfinance"] | None,
        Meta(description="The profile whose layers, routes and wording stand where none is given."),
    ] = None
    keys: Annotated[
        str | None,
        Meta(
            description="Whose keys are accepted: what `guarita key create --profile` was given. "
            "Default: those of `like`, else of the profile's own name. The layer `api_key_header` "
            "takes keys of delfinance only."
        ),
    ] = None
    prefix: Annotated[
        str | None, Meta(description="Every operation's path begins with it: `/v1`.")
    ] = None
    route: Annotated[
        list[RouteSettings | None],
        Meta(description="The operations; take the place of those of `like`."),
    ] = field(default_factory=list)
    classes: Annotated[
        list[ClassSettings | None],
        Meta(description="The route classes; take the place of those of `like`."),
    ] = field(default_factory=list, name="class")
    media_type: MediaTypeSettings | None = None
    api_key_header: ApiKeyHeaderSettings | None = None
    lockout: LockoutSettings | None = None
    certificate: CertificateSettings | None = None
    account_header: AccountHeaderSettings | None = None
    signature: SignatureSettings | None = None
    rate_limit: RateLimitSettings | None = None
    idempotency: IdempotencySettings | None = None
    wording: Annotated[
        dict[str, WordingSettings],
        Meta(description="Responses by reason; those left out stay as `like` has them."),
    ] = field(default_factory=dict)
    unsafe_no_certificate_no_allowlist: Annotated[
        bool,
        Meta(
            description="Delfinance's homologation environment: neither client certificates nor "
            "allowlists are looked at."
        ),
    ] = False


LAYER_TABLES = (
    "media_type",
    "api_key_header",
    "lockout",
    "certificate",
    "account_header",
    "signature",
    "rate_limit",
    "idempotency",
)
"""The members of `ProfileSettings` that are settings of the layer of that name."""
