"""What guarita.toml may hold for the process as a whole: data folder, decision log, signals' grace,
client certificates.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class DataSettings(Struct, frozen=True):
    """Where accounts, keys, reservations and counters are kept. The same for every site."""

    folder: Annotated[
        str | None,
        Meta(
            description="The data folder; `--data` goes first, then this, then `GUARITA_DATA`, "
            "then `./guarita-data`."
        ),
    ] = None
    counters: Annotated[
        Literal["process", "shared"],
        Meta(
            description="Where rate limits and lockouts are counted: in this process (fastest; no "
            "second process may use the folder), or in the folder's SQLite file, exact over all "
            "processes of the machine."
        ),
    ] = "process"
    unsafe_memory_reservations: Annotated[
        bool,
        Meta(
            description="Keep idempotency records in memory: faster, but after a crash or a "
            'restart a retried payment is executed again. Not with `counters = "shared"`.'
        ),
    ] = False


class DecisionLogSettings(Struct, frozen=True):
    """What `guarita explain` reads."""

    enabled: Annotated[bool, Meta(description="Whether decisions are written at all.")] = True
    keep_days: Annotated[
        Annotated[float, Meta(gt=0)], Meta(description="Entries older than this are deleted.")
    ] = 7
    max_rows: Annotated[
        Positive, Meta(description="Most entries kept; the oldest are deleted first.")
    ] = 1_000_000


class ProcessSettings(Struct, frozen=True):
    """The process as a whole."""

    grace_s: Annotated[
        Seconds,
        Meta(
            description="How long requests in flight may take to finish after SIGTERM, or after a "
            "reload has taken their listener away."
        ),
    ] = 30.0
    event_loop: Annotated[
        Literal["uvloop", "asyncio"] | None,
        Meta(description="Default: uvloop where it is installed."),
    ] = None


class ClientCertificateSettings(Struct, frozen=True):
    """How client certificates are verified, for the sites whose profile does so."""

    authorities: Annotated[
        list[str] | None,
        Meta(
            description="Files with the root certificates that are trusted. Default: the data "
            "folder's own authority (`guarita certificate issue` makes it), whose list of revoked "
            "certificates is then published anew every day."
        ),
    ] = None
    intermediates: Annotated[
        list[str], Meta(description="Files with intermediates that clients may leave out.")
    ] = field(default_factory=list)
    revocation_files: Annotated[
        list[str], Meta(description="Files with lists of revoked certificates; read when changed.")
    ] = field(default_factory=list)
    revocation_urls: Annotated[
        list[str], Meta(description="URLs of such lists, fetched every hour.")
    ] = field(default_factory=list)
    stale_s: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(
            description="How long a list counts after its own end. 0: not at all, every "
            "certificate it covers is refused then."
        ),
    ] = 0.0
    scope: Annotated[
        Literal["chain", "leaf"],
        Meta(
            description="Whether all certificates below the root are looked up in a list, or the "
            "client's own only."
        ),
    ] = "chain"
    require_eku: Annotated[
        bool, Meta(description="Demand an extended key usage that names client authentication.")
    ] = False
    unsafe_no_revocation_list: Annotated[
        bool,
        Meta(
            description="Look nothing up: a revoked certificate is admitted. Only with "
            "`authorities`, where these publish no list."
        ),
    ] = False
    unsafe_sha1: Annotated[bool, Meta(description="Believe lists signed with SHA-1.")] = False
