"""`guarita sandbox listen`: a webhook receiver that verifies what arrives and prints it."""

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from guarita.cli import sandbox_bank
from guarita.cli.loopback import listen as listening
from guarita.cli.output import OK, MisuseError, emit, harmless, note, say
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.webhooks.receiver import Receive, Received, Receiver, Scope, Send

DEFAULT_PREFIX = "X-MinhaKonta-"


def listen(
    *,
    secret_env: str,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 9000,
    count: Annotated[int | None, Parameter(validator=Number(gt=0))] = None,
    header_prefix: str = DEFAULT_PREFIX,
) -> int:
    """Receive webhooks on this machine, verify their signatures and print them.

    A genuine event is answered 204 and printed once, however often it comes; anything else is
    answered 400 with what is wrong with it. It ends with Ctrl-C, SIGTERM or --count. With --json,
    one document with all events is printed at the end.

    Parameters
    ----------
    secret_env
        Name of the environment variable that holds the webhook's secret.
    port
        Port on 127.0.0.1 and ::1; 0 picks a free one. The path of the URL does not matter.
    count
        End after so many events.
    header_prefix
        What the names of the four headers begin with.
    """
    secret = _secret(secret_env)
    with sandbox_bank.refusals():
        from guarita.cli.sandbox_serving import Stop, serve
        from guarita.sandbox.webhooks.receiver import Receiver
    stop = Stop()
    as_json = current().json
    received: list[dict[str, Any]] = []

    def take(delivery: "Received") -> None:
        received.append(_document(delivery))
        if not as_json:
            say(_line(delivery))
        if len(received) == count:
            stop.now()

    try:
        receiver = _TellingRefusals(Receiver(secret, take, prefix=header_prefix))
    except ValueError as error:
        raise MisuseError(f"--header-prefix: {error}") from None
    sockets = listening(port)
    url = "http://{}:{}/".format(*sockets[0].getsockname()[:2])
    try:
        serve(receiver, sockets, on_ready=lambda: note(f"listening on {url}"), stop=stop)
    finally:
        for sock in sockets:
            sock.close()
    if as_json:
        emit(True, {"url": url, "events": received}, "")
    return OK


class _TellingRefusals:
    """ASGI application: notes on standard error what `receiver` refuses."""

    def __init__(self, receiver: "Receiver") -> None:
        self._receiver = receiver

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        status = 0

        async def telling(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and status >= 400:
                note(f"refused a delivery: {status} {message['body'].decode()}")
            await send(message)

        await self._receiver(scope, receive, telling)


def _secret(variable: str) -> str:
    secret = os.environ.get(variable)
    if not secret:
        state = "not set" if secret is None else "empty"
        raise MisuseError(
            f"--secret-env takes the name of an environment variable; {variable} is {state}; is it"
            " exported?"
        )
    return secret


def _line(delivery: "Received") -> str:
    body = json.dumps(delivery.content, ensure_ascii=False, separators=(",", ":"))
    status = delivery.content.get("status")
    return harmless(f"{delivery.event_type} {status} (signature verified) {body}")


def _document(delivery: "Received") -> dict[str, Any]:
    return {
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "timestamp": delivery.sent_at,
        "body": delivery.content,
    }
