"""uvicorn's HTTP/1.1 protocol as Guarita runs it: what cannot be parsed is answered in the
profile's words and with a Ray ID, like every other refusal.
"""

import time

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from guarita.decision import MALFORMED_REQUEST, Refuse
from guarita.profile import Profile
from guarita.serving.ray import RAY_HEADER, new_ray


def protocol_for(profile: Profile) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""
    response = profile.respond(Refuse(MALFORMED_REQUEST))

    class GateProtocol(HttpToolsProtocol):
        def send_400_response(self, msg: str) -> None:
            ray = new_ray(time.time()).encode()
            headers = [*response.headers, (RAY_HEADER, ray), (b"connection", b"close")]
            lines = [b"HTTP/1.1 %d Bad Request" % response.status]
            lines += [b"%s: %s" % pair for pair in headers]
            self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + response.body)
            self.transport.close()

    return GateProtocol
