"""`guarita demo`: a sandbox bank behind the gate on this machine, with fresh credentials each time.

Here: the command, the ports, the demo's account and key. What is printed is in `demo_text`; the
server is in `demo_server`, which is imported only to serve.
"""

import errno
import socket
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import demo_text
from guarita.cli.output import OK, RefusedError, emit
from guarita.cli.settings import current
from guarita.keyring.keyring import IssuedKey, Keyring
from guarita.records import AccountStatus, KeyStatus

ACCOUNT_NAME = "Guarita demo"
LABEL = "demo"
LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 2048
_PORTS_TRIED = 20

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]


def demo(
    *,
    port: Port = 8000,
    tls_port: Port = 8443,
    admin_port: Port = 8001,
    validation_ttl: Annotated[int, Parameter(validator=Number(gt=0))] = 3600,
) -> int:
    """Serve a sandbox bank behind the gate, on this machine only, until Ctrl-C or SIGTERM.

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
        with settings.folder(create=True) as folder:
            base_url = "http://{}:{}".format(*sockets[0].getsockname()[:2])
            issued = issue(folder.keyring)
            account_id = issued.key.account.account_id
            tls_key, material = demo_delfinance.prepare(folder, account_id, LABEL, LOOPBACK)
            tls_url = "https://{}:{}".format(*tls_sockets[0].getsockname()[:2])
            delfinance = demo_delfinance.document(tls_url, tls_key, material)
            ready = ready_document(base_url, issued, delfinance, str(folder.path.resolve()))
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


def listen(port: int, option: str = "--port") -> list[socket.socket]:
    """Listening sockets on the loopback addresses this machine has, all on one port.

    Raises:
        RefusedError: the port is taken, or may not be used by this user.
    """
    for _ in range(_PORTS_TRIED):
        first = _bound(LOOPBACK[0], port, option)
        try:
            second = _bound(LOOPBACK[1], first.getsockname()[1], option)
        except RefusedError:
            first.close()
            if port:
                raise
        except OSError:
            return [first]  # no IPv6 on this machine
        else:
            return [first, second]
    raise RefusedError(f"no port is free on both 127.0.0.1 and ::1; name one with {option}")


def _bound(address: str, port: int, option: str) -> socket.socket:
    ipv6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)  # at once: until then another process could bind the port as well
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        where = f"[{address}]:{port}" if ipv6 else f"{address}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise RefusedError(
                f"{where} is taken by another program; choose another port with {option}, or 0"
            ) from None
        if error.errno == errno.EACCES:
            raise RefusedError(
                f"this user may not listen on {where}; choose {option} 1024 or above"
            ) from None
        raise
    return sock


def issue(keyring: Keyring) -> IssuedKey:
    """A fresh key of the demo's account, with every permission; earlier demo keys are revoked."""
    from guarita.profiles.minhakonta import MINHA_KONTA

    named = [account for account in keyring.accounts() if account.name == ACCOUNT_NAME]
    account = named[0] if named else keyring.create_account(ACCOUNT_NAME)
    if account.status is not AccountStatus.ACTIVE:
        keyring.activate_account(account.account_id)
    for key in keyring.keys(account.account_id):
        if key.label == LABEL and key.status is not KeyStatus.REVOKED:
            keyring.revoke(key.client_id)
    return keyring.create_key(
        account.account_id,
        profile=MINHA_KONTA.name,
        permissions=sorted(MINHA_KONTA.table.permissions),
        allowlist=LOOPBACK,
        label=LABEL,
    )


def ready_document(
    base_url: str, issued: IssuedKey, delfinance: dict[str, Any], data: str
) -> dict[str, Any]:
    """What `--json` prints (DESIGN section 5); parts that are not built yet are None."""
    return {
        "minhakonta": {
            "base_url": base_url,
            "account_id": issued.key.account.account_id,
            "client_id": issued.key.client_id,
            "client_secret": issued.secret.reveal(),
        },
        "delfinance": delfinance,
        "portal": None,
        "admin": None,
        "data": data,
    }
