"""The bank as a program that can be killed:
`python -m tests.sandbox.chaos_server FD DATA plain|gate`.

Serves on the listening socket FD until SIGTERM: the bank alone, which believes `Guarita-Account`,
or the bank behind the gate, as the demo has it. Everything that takes time in the bank is quick.
"""

import socket
import sys
from pathlib import Path

import uvicorn

from guarita.data_folder import DataFolder
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import Rules, create_app
from guarita.sandbox.pix.rules import Bucket
from guarita.serving.asgi import ASGIApp, Guarita
from guarita.serving.backend import Backend

RULES = Rules(
    opening_balance=2_000_000,
    settlement_delay_s=0.05,
    review_s=0.2,
    queue_retry_s=0.1,
    sweep_s=1.0,
    charge_lifetime_s=5.0,
    dict_per_account=Bucket(30, 20.0),
    dict_global=Bucket(80, 50.0),
)


def main(descriptor: str, data: str, form: str) -> None:
    path = Path(data)
    if form == "plain":
        serve(descriptor, create_app(path, trust_identity_headers=True, rules=RULES))
        return
    folder = DataFolder(path)
    backend = Backend.embedded(folder)
    try:
        serve(descriptor, Guarita(create_app(path, rules=RULES), MINHA_KONTA, backend))
    finally:
        backend.close()
        folder.close()


def serve(descriptor: str, app: ASGIApp) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="on",
        log_level="error",
        access_log=False,
        proxy_headers=False,
    )
    with socket.socket(fileno=int(descriptor)) as listening:
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
