"""An authority's revocation list over HTTP, beside a gate: `GET /crl.der` and `GET /crl.pem`.

A list is public and signed (RFC 5280 section 5), so whoever has to check certificates may fetch it
without credentials; RFC 2585 section 4 gives the media type.
"""

import asyncio
import time
from pathlib import Path

from guarita.serving.asgi import ASGIApp, ASGIScope, Receive, Send
from guarita.serving.ray import RAY_HEADER, new_ray

MEDIA_TYPES = {"crl.der": b"application/pkix-crl", "crl.pem": b"application/x-pem-file"}


class RevocationList:
    """ASGI application that answers for the list's two files and passes everything else on to
    `app`.

    Args:
        app: what stands behind it, usually a `Guarita`.
        folder: where the authority publishes crl.der and crl.pem; read at every request.
        prefix: path before the file names, without a "/" at its end.
    """

    def __init__(self, app: ASGIApp, folder: Path, *, prefix: str = "") -> None:
        self.app = app
        self._files = {f"{prefix}/{name}": folder / name for name in MEDIA_TYPES}

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        file = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if file is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.to_thread(file.read_bytes)
        except OSError:
            await self.app(scope, receive, send)
            return
        headers = [
            (b"content-type", MEDIA_TYPES[file.name]),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"max-age=60"),
            (RAY_HEADER, new_ray(time.time()).encode()),
        ]
        if scope.get("scheme") == "https":
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})
