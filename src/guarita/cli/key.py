"""`guarita key …`: what an operator does with API keys. Allowlists are in `key_addresses`."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import App, Parameter

from guarita.cli import key_addresses, key_text
from guarita.cli.output import OK, MisuseError, RefusedError, emit, fields, iso, note, table, unix
from guarita.cli.settings import current, nearest
from guarita.keyring.keyring import IssuedKey, Keyring
from guarita.keyring.kinds import kind_of
from guarita.records import ApiKey, CertificateMode

app = App(name="key", help="Issue, change, block and revoke API keys.")
app.command(key_addresses.allow_ip)
app.command(key_addresses.disallow_ip)
app.command(key_addresses.test_ip)

PROFILES = ["minhakonta", "delfinance"]
COLUMNS = (
    "id",
    "status",
    "account_id",
    "profile",
    "expires",
    "permissions",
    "allowlist",
    "label",
)

ClientId = Annotated[
    str, Parameter(help="The client_id or key_id, as `guarita key list` shows it.")
]


@app.command
def create(
    *,
    account: str,
    profile: str,
    permission: list[str] | None = None,
    all_permissions: bool = False,
    allow_ip: list[str] | None = None,
    expires_at: str | None = None,
    without_hmac_secret: bool = False,
    certificate_mode: str | None = None,
    label: str = "",
) -> int:
    """Issue an API key. Its secret is shown this once and stored only as a hash.

    Parameters
    ----------
    account
        The account_id it belongs to.
    profile
        Whose rules it follows: minhakonta, delfinance, or a profile of the --config file.
    permission
        A permission such as transfer:write; repeat the option, or give several with commas
        (minhakonta only).
    all_permissions
        Every permission the profile knows (minhakonta only).
    allow_ip
        An address (203.0.113.45, 2001:db8::1) or network (203.0.113.0/24) requests may come from;
        repeat the option for more. Without one, every request is refused.
    expires_at
        When it ends, in ISO 8601, e.g. 2027-01-31T12:00:00Z; UTC unless it says otherwise. Default:
        never.
    without_hmac_secret
        No body signature is configured for it: its POST requests are refused (minhakonta only).
    certificate_mode
        What is demanded of the client certificate (delfinance only): strict (default: one that is
        registered for the key), valid (any valid one) or unsafe-off (none).
    label
        A note for people.
    """
    profiles = [*PROFILES, *(one for one in current().profiles if one not in PROFILES)]
    if profile not in profiles:
        raise MisuseError(f"there is no profile {profile!r}{nearest(profile, profiles)}")
    if without_hmac_secret and kind_of(profile).found_by_secret:
        raise MisuseError(f"--without-hmac-secret: no key of the profile {profile} has one")
    permissions = _listed(permission)
    ends = None if expires_at is None else _future(expires_at)
    with current().folder() as folder:
        issued = folder.keyring.create_key(
            account,
            profile=profile,
            permissions=[*permissions, *(known_permissions() if all_permissions else ())],
            allowlist=allow_ip or (),
            expires_at=ends,
            signs=not without_hmac_secret,
            certificate_mode=certificate_mode,
            label=label,
        )
    return _show_issued(issued)


@app.command
def rotate(client_id: ClientId, /, *, overlap: int = 86_400) -> int:
    """Issue a new secret for a key; the former one stays valid for a while.

    Parameters
    ----------
    overlap
        Seconds that the former secret stays valid; 0 ends it at once.
    """
    if overlap < 0:
        raise MisuseError(f"--overlap is a number of seconds, 0 or more, not {overlap}")
    with current().folder() as folder:
        issued = folder.keyring.rotate(client_id, overlap_s=overlap)
    return _show_issued(issued)


@app.command
def show(client_id: ClientId, /) -> int:
    """Show one key; never its secret, which nobody has."""
    return _change(lambda keyring: keyring.key(client_id))


@app.command(name="list")
def list_(*, account: str | None = None) -> int:
    """List keys, oldest first.

    Parameters
    ----------
    account
        Only keys of this account_id.
    """
    settings = current()
    with settings.folder() as folder:
        keys = folder.keyring.keys(account)
    rows = [
        (
            key.client_id,
            key.status,
            key.account.account_id,
            key.profile,
            iso(key.expires_at) or "never",
            len(key.permissions),
            len(key.allowlist),
            key.label,
        )
        for key in keys
    ]
    text = table(COLUMNS, rows, "There are no keys yet.")
    emit(settings.json, [key_text.document(key) for key in keys], text)
    return OK


@app.command
def deactivate(client_id: ClientId, /) -> int:
    """Refuse the key until `guarita key activate`."""
    return _change(lambda keyring: keyring.deactivate(client_id))


@app.command
def activate(client_id: ClientId, /) -> int:
    """Accept a deactivated key again."""
    return _change(lambda keyring: keyring.activate(client_id))


@app.command
def revoke(client_id: ClientId, /) -> int:
    """Refuse the key for good. This cannot be undone."""
    return _change(lambda keyring: keyring.revoke(client_id))


@app.command
def block(client_id: ClientId, /, *, reason: str = "blocked by an operator") -> int:
    """Refuse the key until `guarita key unblock`, and note why.

    Parameters
    ----------
    reason
        For the operators; the caller is never told.
    """
    return _change(lambda keyring: keyring.block(client_id, reason))


@app.command
def unblock(client_id: ClientId, /) -> int:
    """End a block."""
    return _change(lambda keyring: keyring.unblock(client_id))


@app.command
def grant(client_id: ClientId, /, *permissions: Annotated[str, Parameter(required=True)]) -> int:
    """Give a key further permissions.

    Parameters
    ----------
    permissions
        Names such as transfer:write.
    """
    names = _listed(permissions)
    return _change(lambda keyring: keyring.grant(client_id, *names))


@app.command
def deny(client_id: ClientId, /, *permissions: Annotated[str, Parameter(required=True)]) -> int:
    """Take permissions away from a key.

    Parameters
    ----------
    permissions
        Names such as transfer:write.
    """
    names = _listed(permissions)
    return _change(lambda keyring: keyring.deny(client_id, *names))


@app.command(name="certificate-mode")
def certificate_mode(client_id: ClientId, mode: str, /) -> int:
    """Change what a key demands of client certificates.

    Parameters
    ----------
    mode
        strict (one that is registered for the key), valid (any valid one) or unsafe-off (none).
    """
    settings = current()
    with settings.folder() as folder:
        key = folder.keyring.set_certificate_mode(client_id, mode)
    _warn_of_mode(key)
    emit(settings.json, key_text.document(key), key_text.text(key))
    return OK


def known_permissions() -> list[str]:
    """Every permission of the profile minhakonta (seed L458-471)."""
    from guarita.profiles.minhakonta import TABLE

    return sorted(TABLE.permissions)


def _future(text: str) -> float:
    at, now = unix(text), time.time()
    if at <= now:
        raise RefusedError(
            f"--expires-at {iso(at)} is in the past, it is {iso(int(now))} now;"
            " to end a key at once, revoke it"
        )
    return at


def _listed(values: list[str] | tuple[str, ...] | None) -> list[str]:
    """The items of repeated options, each of which may hold several with commas."""
    return [item for value in values or () for item in value.split(",")]


def _change(act: Callable[[Keyring], ApiKey]) -> int:
    settings = current()
    with settings.folder() as folder:
        key = act(folder.keyring)
    emit(settings.json, key_text.document(key), key_text.text(key))
    return OK


def _show_issued(issued: IssuedKey) -> int:
    """The one place that prints a secret."""
    key, secret = issued.key, issued.secret.reveal()
    as_json = current().json
    id_name = key_text.name_of_id(key)
    secret_name = "api_key" if kind_of(key.profile).found_by_secret else "client_secret"
    document: dict[str, Any] = {id_name: key.client_id, secret_name: secret}
    document |= key_text.document(key)
    text = [
        fields([(id_name, key.client_id), (secret_name, secret)]),
        "Keep the secret now: only its hash is stored, it will not be shown again.",
        key_text.text(key),
    ]
    emit(as_json, document, "\n\n".join(text))
    if not key.allowlist and not as_json:
        note(f"no address is allowed yet; next: guarita key allow-ip {key.client_id} ADDRESS")
    if key_text.lacks_certificate(key) and not as_json:
        note(
            "no client certificate is registered yet; next: "
            f"guarita certificate issue --key {key.client_id} --out DIR"
        )
    _warn_of_mode(key)
    return OK


def _warn_of_mode(key: ApiKey) -> None:
    if key.certificate_mode is CertificateMode.UNSAFE_OFF:
        note(f"unsafe: {key.client_id} is accepted without a client certificate")
