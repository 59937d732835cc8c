"""`guarita key …`: what an operator does with API keys. Allowlists are in `key_addresses`."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import App, Parameter

from guarita.cli import key_addresses, key_text
from guarita.cli.output import OK, MisuseError, RefusedError, emit, fields, iso, note, table, unix
from guarita.cli.settings import current, nearest
from guarita.keyring.keyring import IssuedKey, Keyring
from guarita.records import ApiKey

app = App(name="key", help="Issue, change, block and revoke API keys.")
app.command(key_addresses.allow_ip)
app.command(key_addresses.disallow_ip)
app.command(key_addresses.test_ip)

PROFILES = ["minhakonta", "delfinance"]
NOT_BUILT = {"delfinance"}
COLUMNS = (
    "client_id",
    "status",
    "account_id",
    "profile",
    "expires",
    "permissions",
    "allowlist",
    "label",
)

ClientId = Annotated[str, Parameter(help="As `guarita key list` shows it.")]


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
    label: str = "",
) -> int:
    """Issue an API key. Its secret is shown this once and stored only as a hash.

    Parameters
    ----------
    account
        The account_id it belongs to.
    profile
        Whose rules it follows: minhakonta (delfinance is not built yet).
    permission
        A permission such as transfer:write; repeat the option, or give several with commas.
    all_permissions
        Every permission the profile knows.
    allow_ip
        An address (203.0.113.45, 2001:db8::1) or network (203.0.113.0/24) requests may come from;
        repeat the option for more. Without one, every request is refused.
    expires_at
        When it ends, in ISO 8601, e.g. 2027-01-31T12:00:00Z; UTC unless it says otherwise. Default:
        never.
    without_hmac_secret
        No body signature is configured for it: its POST requests are refused.
    label
        A note for people.
    """
    _check_profile(profile)
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
def block(client_id: ClientId, /, *, reason: str) -> int:
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


def known_permissions() -> list[str]:
    """Every permission of the profile minhakonta (seed L458-471)."""
    from guarita.profiles.minhakonta import TABLE

    return sorted(TABLE.permissions)


def _check_profile(name: str) -> None:
    if name not in PROFILES:
        raise MisuseError(f"there is no profile {name!r}{nearest(name, PROFILES)}")
    if name in NOT_BUILT:
        raise RefusedError(f"the profile {name} is not built yet; the one to use is minhakonta")


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
    document: dict[str, Any] = {"client_id": key.client_id, "client_secret": secret}
    document |= key_text.document(key)
    text = [
        fields([("client_id", key.client_id), ("client_secret", secret)]),
        "Keep the secret now: only its hash is stored, it will not be shown again.",
        key_text.text(key),
    ]
    emit(as_json, document, "\n\n".join(text))
    if not key.allowlist and not as_json:
        note(f"no address is allowed yet; next: guarita key allow-ip {key.client_id} ADDRESS")
    return OK
