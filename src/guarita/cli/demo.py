"""`guarita demo`: a sandbox bank behind the gate on this machine, with fresh credentials each time.

Here: the command, the ports, what `--json` prints. The merchants are in `demo_merchants`, the text
for a person in `demo_text`; the server is in `demo_server`, which is imported only to serve.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import demo_merchants, demo_text
from guarita.cli.demo_merchants import LABEL
from guarita.cli.folder_lock import FolderLock
from guarita.cli.loopback import LOOPBACK, listen
from guarita.cli.output import OK, RefusedError, emit
from guarita.cli.settings import current

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]


def demo(
    *,
    port: Port = 8000,
    tls_port: Port = 8443,
    admin_port: Port = 8001,
    validation_ttl: Annotated[int, Parameter(validator=Number(gt=0))] = 3600,
) -> int:
    """Serve a sandbox bank behind the gate, on this machine only, until Ctrl-C or SIGTERM.

    The whole bank runs: payments settle, QR codes expire, webhooks are delivered, also to addresses
    of this machine. It has two merchants, so that one can pay the other; docs/sandbox.md is a tour.

    Each start issues fresh credentials, revokes those of earlier demos in the same data folder and
    prints commands to paste. With --json it prints one line of JSON when it is ready to serve.

    Parameters
    ----------
    port
        Port of the bank on 127.0.0.1 and ::1; 0 picks a free one.
    tls_port
        Port of the site that asks for client certificates (Delfinance); 0 picks a free one.
    admin_port
        Not used yet: port of admin API and portal.
    validation_ttl
        Seconds for which a client certificate's verification counts; then the answer is
        "Validation expired", and a new connection verifies afresh.
    """
    settings = current()
    # Before anything is changed: a second demo on a taken port must not revoke the first one's key.
    sockets = listen(port)
    tls_sockets: list[socket.socket] = []
    try:
        tls_sockets += listen(tls_port, "--tls-port")
        try:
            from guarita.cli import demo_delfinance
            from guarita.cli.demo_server import serve
        except ModuleNotFoundError as error:
            raise RefusedError(
                f"the demo needs {error.name}: pip install 'guarita[demo]'"
            ) from None
        with settings.folder(create=True) as folder, _alone(folder.path):
            base_url = "http://{}:{}".format(*sockets[0].getsockname()[:2])
            merchant = demo_merchants.credentials(
                demo_merchants.issue(folder.keyring, demo_merchants.ACCOUNT_NAME)
            )
            other = demo_merchants.credentials(
                demo_merchants.issue(folder.keyring, demo_merchants.OTHER_ACCOUNT_NAME)
            )
            account_id = merchant["account_id"]
            account_ids = [account_id, other["account_id"]]
            other["pix_key"] = demo_merchants.pix_keys(folder.path, account_ids)[1]
            tls_key, material = demo_delfinance.prepare(folder, account_id, LABEL, LOOPBACK)
            tls_url = "https://{}:{}".format(*tls_sockets[0].getsockname()[:2])
            delfinance = demo_delfinance.document(tls_url, tls_key, material)
            ready = ready_document(
                base_url, merchant, delfinance, str(folder.path.resolve()), other
            )
            text = demo_text.ready(ready)
            serve(
                folder,
                sockets,
                tls_sockets,
                material,
                validation_ttl=validation_ttl,
                on_ready=lambda: emit(settings.json, ready, text),
            )
    finally:
        for sock in (*sockets, *tls_sockets):
            sock.close()
    return OK


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else serves from `folder` meanwhile: a second demo would revoke the keys of the first.

    Raises RefusedError where somebody does.
    """
    try:
        lock = FolderLock(folder, alone=True, setting="a demo's counters")
    except RefusedError:
        raise RefusedError(
            f"another process, perhaps a demo, serves from the data folder {folder}, and this demo"
            " would revoke its keys: end that one first, or name another folder with --data DIR"
        ) from None
    with lock:
        yield


def ready_document(
    base_url: str,
    merchant: dict[str, Any],
    delfinance: dict[str, Any],
    data: str,
    other_merchant: dict[str, Any],
) -> dict[str, Any]:
    """What `--json` prints (DESIGN section 5); parts that are not built yet are None."""
    return {
        "minhakonta": {"base_url": base_url, **merchant},
        "delfinance": delfinance,
        "portal": None,
        "admin": None,
        "data": data,
        "other_merchant": other_merchant,
    }
