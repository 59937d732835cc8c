"""An authority's revocation list beside a gate: what `serving.crl` is for ASGI applications."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from guarita.serving.crl import MEDIA_TYPES
from guarita.serving.ray import RAY_HEADER, new_ray

if TYPE_CHECKING:
    from guarita.serving.gateway.gate import Gate
    from guarita.serving.http1.head import BadHead
    from guarita.serving.http1.request import Pairs, Request


class PublishesList:
    """Handler that answers `GET /crl.der` and `GET /crl.pem` and gives everything else to `gate`.

    `folder`: where the authority publishes the two files. They are read when they have changed; a
    file that is not there makes the request an ordinary one.
    """

    __slots__ = ("_files", "_kept", "gate")

    def __init__(self, gate: "Gate", folder: Path) -> None:
        self.gate = gate
        self._files = {f"/{name}": folder / name for name in MEDIA_TYPES}
        self._kept: dict[Path, tuple[tuple[int, int, int], bytes]] = {}

    def begin(self, request: "Request") -> None:
        file = self._files.get(request.head.path)
        if file is not None and request.head.method in ("GET", "HEAD"):
            content = self._content(file)
            if content is not None:
                request.respond(200, self._pairs(file, secure=request.secure), content)
                return
        self.gate.begin(request)

    def malformed(
        self, peer: str | None, secure: bool, bad: "BadHead"
    ) -> "tuple[int, Pairs, bytes]":
        return self.gate.malformed(peer, secure, bad)

    def _content(self, file: Path) -> bytes | None:
        try:
            now = os.stat(file)
            stamp = (now.st_mtime_ns, now.st_size, now.st_ino)
            kept = self._kept.get(file)
            if kept is None or kept[0] != stamp:
                kept = self._kept[file] = (stamp, file.read_bytes())
        except OSError:
            return None
        return kept[1]

    def _pairs(self, file: Path, *, secure: bool) -> list[tuple[bytes, bytes]]:
        pairs = [
            (b"content-type", MEDIA_TYPES[file.name]),
            (b"cache-control", b"max-age=60"),
            (RAY_HEADER, new_ray(time.time()).encode()),
        ]
        return [*pairs, *self.gate.hsts] if secure else pairs
