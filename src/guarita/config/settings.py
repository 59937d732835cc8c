"""What guarita.toml may hold: one struct per table, one described field per setting. The table in
docs/gateway.md is drawn from here. Profiles are in `profile_settings`, what holds for every site in
`process_settings`.

Numbers ending in `_s` are seconds, in `_bytes` bytes. Paths are relative to the file's own folder.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from guarita.config.process_settings import (
    ClientCertificateSettings,
    DataSettings,
    DecisionLogSettings,
    ProcessSettings,
)
from guarita.config.profile_settings import ProfileSettings
from guarita.serving.http1.limits import Limits
from guarita.serving.upstream.target import Timeouts

_LIMITS = Limits()
_TIMEOUTS = Timeouts()

Positive = Annotated[int, Meta(ge=1)]
Bytes = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]


class TLSSettings(Struct, frozen=True):
    """TLS of a site's listeners. Clients are asked for a certificate where the profile verifies
    them."""

    certificate: Annotated[
        str, Meta(description="PEM file: the server's certificate, then its intermediates.")
    ]
    key: Annotated[str, Meta(description="PEM file: its private key.")]
    key_password_env: Annotated[
        str | None,
        Meta(description="Environment variable with the key's password, where it is encrypted."),
    ] = None
    minimum: Annotated[
        Literal["TLSv1.2", "TLSv1.3"], Meta(description="Lowest protocol version.")
    ] = "TLSv1.2"
    handshake_s: Annotated[Seconds, Meta(description="How long a handshake may take.")] = 10.0


class UpstreamSettings(Struct, frozen=True):
    """Where admitted requests go."""

    url: Annotated[
        str,
        Meta(description="`http://host:port`, `https://host:port` (verified) or `unix:/path`."),
    ]
    ca_file: Annotated[
        str | None,
        Meta(
            description="PEM file that the upstream's certificate is verified against. Default: "
            "the system's authorities."
        ),
    ] = None
    server_name: Annotated[
        str | None,
        Meta(description="The name in the upstream's certificate, where it is not the host."),
    ] = None
    host: Annotated[
        str | None,
        Meta(description="The `Host` the upstream gets. Default: the one the caller sent."),
    ] = None
    connect_s: Annotated[Seconds, Meta(description="Until a connection stands, TLS included.")] = (
        _TIMEOUTS.connect_s
    )
    read_s: Annotated[Seconds, Meta(description="Without a byte of the response; then 504.")] = (
        _TIMEOUTS.read_s
    )
    idle_s: Annotated[
        Seconds,
        Meta(description="How long an unused connection is kept; shorter than the upstream does."),
    ] = _TIMEOUTS.idle_s
    most_connections: Annotated[
        Positive, Meta(description="Connections at a time; further requests wait `connect_s`.")
    ] = 256
    reads_bodies: Annotated[
        bool,
        Meta(
            description="The upstream reads every body to its end before it takes a next request: "
            "connections are used again after bodies that no layer has read."
        ),
    ] = False
    keep_headers: Annotated[
        list[str],
        Meta(
            description="Credential headers that are handed on although the gate removes them by "
            "default; none that the site's own profile checks."
        ),
    ] = field(default_factory=list)


class CertificateHeaderSettings(Struct, frozen=True):
    """The one header in which a trusted proxy passes client certificates on."""

    form: Annotated[
        Literal["rfc9440", "xfcc", "nginx-escaped-pem", "base64-der", "traefik"],
        Meta(description="How the header is written."),
    ]
    name: Annotated[
        str | None,
        Meta(
            description="Its name, for the forms whose name is the edge's choice "
            "(nginx-escaped-pem, base64-der)."
        ),
    ] = None
    time_name: Annotated[
        str | None,
        Meta(description="Header with the time of the edge's handshake, in Unix seconds."),
    ] = None


class LimitSettings(Struct, frozen=True):
    """How much a client may send, and how long it may take."""

    target_bytes: Annotated[Positive, Meta(description="Longest request target.")] = (
        _LIMITS.target_bytes
    )
    head_bytes: Annotated[
        Positive, Meta(description="Longest request line and header block together.")
    ] = _LIMITS.head_bytes
    header_count: Annotated[Positive, Meta(description="Most header fields.")] = (
        _LIMITS.header_count
    )
    body_bytes: Annotated[
        Bytes, Meta(description="Longest body that is collected, to be signed or recorded.")
    ] = _LIMITS.body_bytes
    stream_bytes: Annotated[
        Bytes | None, Meta(description="Longest body that is streamed. Default: no limit.")
    ] = _LIMITS.stream_bytes
    drain_bytes: Annotated[
        Bytes,
        Meta(description="How much of a refused request's body is read to keep the connection."),
    ] = _LIMITS.drain_bytes
    head_s: Annotated[
        Seconds, Meta(description="From a request's first byte to the end of its head.")
    ] = _LIMITS.head_s
    idle_s: Annotated[Seconds, Meta(description="Between two requests, and before the first.")] = (
        _LIMITS.idle_s
    )
    body_s: Annotated[Seconds, Meta(description="Between two pieces of a body.")] = _LIMITS.body_s
    total_s: Annotated[
        Seconds, Meta(description="From a request's head to the end of its body.")
    ] = _LIMITS.total_s
    write_s: Annotated[
        Seconds, Meta(description="Without the client taking anything of a response.")
    ] = _LIMITS.write_s
    linger_s: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(description="How long a client refused for its bytes may go on sending."),
    ] = _LIMITS.linger_s
    per_address: Annotated[
        Positive,
        Meta(
            description="Connections at a time from one address (IPv6: one /64). Trusted proxies "
            "are exempt."
        ),
    ] = _LIMITS.per_address
    connections: Annotated[Positive, Meta(description="Connections at a time in all.")] = (
        _LIMITS.connections
    )
    pipelined: Annotated[
        Positive, Meta(description="Requests of a connection in a row before others get a turn.")
    ] = _LIMITS.pipelined


class Site(Struct, frozen=True):
    """One protected application. `[[site]]` may stand several times."""

    name: Annotated[str, Meta(description="For logs and reports.")]
    listen: Annotated[
        list[str],
        Meta(
            description='Addresses: `"127.0.0.1:8080"`, `"[::]:8443"`, `"unix:/run/guarita.sock"`. '
            "`[::]` is IPv6 only; name `0.0.0.0` beside it."
        ),
    ]
    profile: Annotated[
        str,
        Meta(description='`"minhakonta"`, `"delfinance"`, or a name of a `[profile.NAME]` table.'),
    ]
    upstream: UpstreamSettings | None = None
    tls: TLSSettings | None = None
    trusted_proxies: Annotated[
        list[str],
        Meta(
            description="Addresses and networks whose `X-Forwarded-For`, `X-Forwarded-Proto` and "
            '`Ray-ID` are believed; `"unix"` stands for whoever connects by a Unix socket.'
        ),
    ] = field(default_factory=list)
    https_at_proxy: Annotated[
        bool,
        Meta(
            description="The trusted proxies end TLS and say so in `X-Forwarded-Proto`: this site "
            "may listen without TLS on an address that is not loopback. A request of which they do "
            "not say `https` is answered 400, `unsafe_unguarded_paths` excepted."
        ),
    ] = False
    certificate_header: CertificateHeaderSettings | None = None
    identity_prefix: Annotated[
        str,
        Meta(
            description="Of the headers that tell the upstream who calls: `Guarita-Account`, "
            "`-Key`, `-Permissions`, `-Address`, `-Ray`, `-Certificate-Subject`, "
            "`-Certificate-Sha256`."
        ),
    ] = "Guarita-"
    hsts_max_age_s: Annotated[
        Positive, Meta(description="`Strict-Transport-Security` of responses over TLS.")
    ] = 31_536_000
    max_recorded_body_bytes: Annotated[
        Bytes,
        Meta(
            description="Longest response recorded for replays; a longer one counts as outcome "
            "unknown."
        ),
    ] = 1_048_576
    publish_crl: Annotated[
        bool,
        Meta(
            description="Answer `GET /crl.der` and `/crl.pem` with the list of the data folder's "
            "authority, without credentials."
        ),
    ] = False
    share_port: Annotated[
        bool,
        Meta(
            description="Let several `guarita serve` processes listen on these addresses "
            '(`SO_REUSEPORT`); takes `counters = "shared"`.'
        ),
    ] = False
    limits: LimitSettings = field(default_factory=LimitSettings)
    unsafe_plaintext: Annotated[
        bool,
        Meta(
            description="Listen without TLS on an address that is not loopback: everybody on the "
            "way reads the keys."
        ),
    ] = False
    unsafe_no_hsts: Annotated[bool, Meta(description="Send no `Strict-Transport-Security`.")] = (
        False
    )
    unsafe_any_proxy: Annotated[
        bool,
        Meta(
            description="Accept `0.0.0.0/0` and `::/0` in `trusted_proxies`: every caller names "
            "its own address."
        ),
    ] = False
    unsafe_unguarded_paths: Annotated[
        list[str],
        Meta(
            description="Raw paths that reach the upstream without any check; one that ends in "
            "`/` covers what is below it."
        ),
    ] = field(default_factory=list)


class Configuration(Struct, frozen=True):
    """guarita.toml."""

    site: list[Site | None] = field(default_factory=list)
    data: DataSettings = field(default_factory=DataSettings)
    decision_log: DecisionLogSettings = field(default_factory=DecisionLogSettings)
    process: ProcessSettings = field(default_factory=ProcessSettings)
    client_certificates: ClientCertificateSettings = field(
        default_factory=ClientCertificateSettings
    )
    profile: dict[str, ProfileSettings] = field(default_factory=dict)
