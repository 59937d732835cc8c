"""The bank's description of itself beside the gate: `GET /openapi.json`, and no other path."""

from guarita.serving.asgi import ASGIApp, ASGIScope, Receive, Send

PATH = "/openapi.json"


class DescriptionBesideGate:
    """ASGI application: `GET /openapi.json` goes to the bank past the gate, as the document holds
    nothing of any account; everything else goes through the gate.

    Args:
        gate: the guarded bank.
        bank: the bank itself; it is asked for its description only.
    """

    def __init__(self, gate: ASGIApp, bank: ASGIApp) -> None:
        self._gate = gate
        self._bank = bank

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        described = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET"
        await (self._bank if described else self._gate)(scope, receive, send)
