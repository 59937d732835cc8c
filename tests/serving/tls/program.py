"""A small ASGI application behind TLS, as a program: `python -m tests.serving.tls.program FD
CERTIFICATE KEY LOOP` serves on the listening socket FD until SIGTERM.

    GET  /scope      what the scope says of the client, as JSON
    GET  /large?N    N bytes in one piece
    POST /echo       the body, sent back as it comes
    POST /digest     length and SHA-256 of the body, as JSON
"""

import hashlib
import json
import socket
import sys
from typing import Any

import uvicorn

from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.tls import ClientCertificateContext, client_certificate_context
from guarita.serving.tls_scope import CERTIFICATE
from guarita.serving.tls_server import TLSServer
from guarita.serving.uvicorn_http import protocol_for


async def application(scope: Any, receive: Any, send: Any) -> None:
    await {
        "/scope": _scope,
        "/large": _large,
        "/echo": _echo,
        "/digest": _digest,
    }[scope["path"]](scope, receive, send)


async def _answer(send: Any, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def _scope(scope: Any, receive: Any, send: Any) -> None:
    presented = scope.get(CERTIFICATE)
    seen = {
        "scheme": scope["scheme"],
        "tls": (scope.get("extensions") or {}).get("tls"),
        "certificate": presented
        and {
            "chain": [one.hex() for one in presented.chain],
            "at": presented.at,
            "connection": presented.connection,
        },
    }
    await _answer(send, json.dumps(seen).encode())


async def _large(scope: Any, receive: Any, send: Any) -> None:
    await _answer(send, patterned(int(scope["query_string"])))


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def _digest(scope: Any, receive: Any, send: Any) -> None:
    digest, length, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message["body"])
        length += len(message["body"])
        more = message["more_body"]
    await _answer(send, json.dumps({"length": length, "sha256": digest.hexdigest()}).encode())


def patterned(length: int) -> bytes:
    """Bytes in which a piece lost, doubled or out of place shows."""
    return b"".join(b"%07d." % number for number in range(length // 8 + 1))[:length]


def server(context: ClientCertificateContext | None, loop: str) -> TLSServer:
    """The application under uvicorn on "asyncio" or "uvloop"."""
    config = uvicorn.Config(
        application,
        loop=loop,
        http=protocol_for(MINHA_KONTA),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    return TLSServer(config, context)


def main(descriptor: str, certificate: str, key: str, loop: str) -> None:
    context = None if certificate == "-" else client_certificate_context(certificate, key)
    server(context, loop).run([socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
