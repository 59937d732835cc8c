"""`guarita idempotency …`: what is kept of requests with an Idempotency-Key, and how an operator
ends the doubt about one whose outcome is unknown."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from guarita.cli.output import OK, MisuseError, RefusedError, emit, iso, table
from guarita.cli.settings import current
from guarita.decision import Response

if TYPE_CHECKING:
    from guarita.stores.reservations import ReservationRow

app = App(name="idempotency", help="List idempotency records, resolve unknown outcomes.")

_SHORTEST_PREFIX = 4
_SHOWN_DIGITS = 16


@app.command(name="list")
def list_(
    *,
    state: Literal["in_flight", "stored", "outcome_unknown"] | None = None,
    account: str | None = None,
) -> int:
    """List the records that are kept, oldest first.

    Parameters
    ----------
    state
        Only records in this state. in_flight: being executed; stored: answered, a retry gets the
        same answer; outcome_unknown: a crash or a lost connection left it open, a retry gets 409.
    account
        Only records of this account_id.
    """
    import time

    settings = current()
    with settings.folder() as folder:
        rows = folder.store.reservations(state=state, account=account, at=time.time())
    lines = [
        (
            row.scope.digest.hex()[:_SHOWN_DIGITS],
            row.state,
            row.status,
            iso(row.at),
            iso(row.expires_at),
            row.scope.account,
            f"{row.scope.method} {row.scope.path}",
            _key(row),
        )
        for row in rows
    ]
    columns = ("record", "state", "status", "at", "expires_at", "account_id", "request", "key")
    emit(
        settings.json,
        [_document(row) for row in rows],
        table(columns, lines, "There are no records."),
    )
    return OK


@app.command
def resolve(
    record: str,
    /,
    *,
    release: bool = False,
    response_status: int | None = None,
    response_body: str | None = None,
    content_type: Annotated[str, Parameter(name="--response-content-type")] = "application/json",
) -> int:
    """End the doubt about a record whose outcome is unknown, after looking into the books.

    Either give it up, if nothing was executed, so that a retry executes; or store the answer that
    the first request should have had, so that a retry gets that answer.

    Parameters
    ----------
    record
        The record as `guarita idempotency list` shows it, or its first digits (at least 4).
    release
        Nothing was executed: a retry may execute.
    response_status
        It was executed: HTTP status of the answer to keep, 200 to 299.
    response_body
        Body of the answer to keep, e.g. '{"worked":true}'.
    content_type
        Content-Type of the answer to keep.
    """
    resolution = _resolution(release, response_status, response_body, content_type)
    settings = current()
    with settings.folder() as folder:
        row = _find(folder.store.reservations(), record)
        if not folder.store.resolve(row.scope.digest, resolution):
            raise RefusedError(
                f"record {_digits(row)} is {row.state}: only an unknown outcome can be resolved"
            )
    done = "released" if release else "stored"
    text = {
        "released": "Released: a retry with this Idempotency-Key will be executed.",
        "stored": f"Stored: a retry with this Idempotency-Key gets status {response_status}.",
    }
    document = {"digest": row.scope.digest.hex(), "resolution": done}
    emit(settings.json, document, text[done])
    return OK


def _resolution(
    release: bool, status: int | None, body: str | None, content_type: str
) -> Literal["release"] | Response:
    if release:
        if status is not None or body is not None:
            raise MisuseError("choose one: --release, or --response-status with --response-body")
        return "release"
    if status is None or body is None:
        raise MisuseError(
            "say how to resolve it: --release, or --response-status N with --response-body TEXT"
        )
    if not 200 <= status <= 299:
        raise MisuseError(
            f"--response-status {status} would never have been kept: only 200 to 299 is;"
            " if the request failed, use --release"
        )
    if not content_type.isascii() or not content_type.isprintable():
        raise MisuseError("--response-content-type takes a media type such as application/json")
    return Response(status, ((b"content-type", content_type.encode()),), body.encode())


def _find(rows: list["ReservationRow"], prefix: str) -> "ReservationRow":
    wanted = prefix.lower()
    if len(wanted) < _SHORTEST_PREFIX or wanted.strip("0123456789abcdef"):
        raise MisuseError(
            f"{prefix!r} is no record; give at least {_SHORTEST_PREFIX} hexadecimal digits of one,"
            " as `guarita idempotency list` shows them"
        )
    found = [row for row in rows if row.scope.digest.hex().startswith(wanted)]
    if not found:
        raise RefusedError(f"there is no record {prefix}")
    if len(found) > 1:
        raise RefusedError(
            f"{len(found)} records begin with {prefix}: {', '.join(map(_digits, found[:5]))}"
        )
    return found[0]


def _digits(row: "ReservationRow") -> str:
    return row.scope.digest.hex()[:_SHOWN_DIGITS]


def _key(row: "ReservationRow") -> str:
    return row.scope.key.decode("utf-8", "backslashreplace")


def _document(row: "ReservationRow") -> dict[str, Any]:
    return {
        "digest": row.scope.digest.hex(),
        "state": row.state.value,
        "account_id": row.scope.account,
        "method": row.scope.method,
        "path": row.scope.path,
        "key": _key(row),
        "at": iso(row.at),
        "expires_at": iso(row.expires_at),
        "status": row.status,
        "token": row.token,
    }
