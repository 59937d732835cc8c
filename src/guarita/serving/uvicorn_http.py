"""uvicorn's HTTP/1.1 protocol as Guarita runs it: bytes that are no request are answered in the
profile's words and with a Ray ID, and never in the place of an answer that is still to come.
"""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.importer import import_from_string
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from guarita.decision import MALFORMED_REQUEST, Decision, Known, Refuse
from guarita.facts import Facts, Headers
from guarita.profile import Profile
from guarita.serving.ray import RAY_HEADER, new_ray
from guarita.serving.tls_scope import TLSScopeProtocol

if TYPE_CHECKING:
    from guarita.serving.asgi import DecisionLog, Guarita


def protocol_for(
    profile: Profile, decision_log: "DecisionLog | None" = None
) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`; its refusals go into `decision_log`."""
    refusal = Refuse(MALFORMED_REQUEST)
    response = profile.respond(refusal)

    class GateProtocol(TLSScopeProtocol):
        malformed = False

        def data_received(self, data: bytes) -> None:
            if not self.malformed:
                super().data_received(data)

        def send_400_response(self, msg: str) -> None:
            """Called when the bytes received are no HTTP.

            While an earlier request of the connection is still running, nothing may be written: a
            caller would take it for that request's answer, and pay again what was paid. The answer
            goes out, then the connection closes.
            """
            self.malformed = True
            newest: RequestResponseCycle | None = self.cycle
            if newest is None or newest.response_complete:
                self.refuse()
            elif not newest.more_body:
                self.flow.pause_reading()
            elif self.pipeline and self.pipeline[0][0] is newest:
                self.pipeline.popleft()  # the broken one was still waiting: it never runs
                self.flow.pause_reading()
            else:
                # The running request's own body is broken: its application hears that the client
                # has gone, and nobody can say what it had done by then.
                newest.disconnected = True
                newest.message_event.set()
                self.transport.close()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.malformed and not self.pipeline and not self.transport.is_closing():
                self.transport.close()

        def refuse(self) -> None:
            at = time.time()
            ray = new_ray(at)
            if decision_log is not None:
                address = self.client[0] if self.client else None
                nothing = Facts("", "", b"", Headers(()), address, address, at, ray, ray)
                decision = Decision(refusal, Known(), [], [])
                route_class = profile.route_class("", "")
                decision_log.add(profile, route_class, nothing, decision, response.status)
            headers = [*response.headers, (RAY_HEADER, ray.encode()), (b"connection", b"close")]
            if self.scheme == "https":
                headers.append((b"strict-transport-security", b"max-age=31536000"))
            lines = [b"HTTP/1.1 %d Bad Request" % response.status]
            lines += [b"%s: %s" % pair for pair in headers]
            self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + response.body)
            self.transport.close()

    return GateProtocol


def run(gate: "Guarita", **settings: Any) -> None:
    """Serve `gate` with uvicorn as Guarita means it to be served. `settings` go to
    `uvicorn.Config` (host, port, uds, …); what the gate relies on cannot be set otherwise.
    """
    fixed: dict[str, Any] = {
        "http": protocol_for(gate.profile, gate.decision_log),
        "ws": "none",
        "proxy_headers": False,  # whose X-Forwarded-For is believed is the gate's decision alone
        "server_header": False,
    }
    if twice := fixed.keys() & settings.keys():
        raise ValueError(f"{', '.join(sorted(twice))} cannot be set: the gate relies on it")
    uvicorn.run(gate, **{"access_log": False, **settings, **fixed})


def main(arguments: list[str] | None = None) -> None:
    """`python -m guarita.serving.uvicorn_http MODULE:NAME [--host H] [--port P] [--uds PATH]`."""
    parser = argparse.ArgumentParser(prog="python -m guarita.serving.uvicorn_http")
    parser.add_argument("gate", help="the Guarita middleware, as module:name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--uds", help="a Unix socket instead of host and port")
    options = parser.parse_args(arguments)
    sys.path.insert(0, "")
    gate = import_from_string(options.gate)
    if not hasattr(gate, "profile"):
        parser.error(f"{options.gate} is no Guarita middleware")
    run(gate, host=options.host, port=options.port, uds=options.uds)


if __name__ == "__main__":
    main()
