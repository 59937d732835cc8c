"""The sandbox bank behind the gate, as a program: `python -m tests.serving.bank_server FD DATA`.

Serves on the listening socket FD until SIGTERM. Where the file DATA/die exists, the first payment
after that is committed by the bank, and then the process kills itself before the gate hears of it.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from guarita.data_folder import DataFolder
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import Rules, create_app
from guarita.serving.asgi import Guarita
from guarita.serving.backend import Backend


class DiesAfterCommit:
    """Lets the bank commit; what it says to that may be the process's end."""

    def __init__(self, app: Any, flag: Path) -> None:
        self.app = app
        self.flag = flag

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def dying(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                try:
                    self.flag.unlink()
                except FileNotFoundError:
                    pass
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            await send(message)

        await self.app(scope, receive, dying if scope["type"] == "http" else send)


def main(descriptor: str, data: str) -> None:
    folder = DataFolder(Path(data))
    backend = Backend.embedded(folder)
    bank = create_app(folder.path, rules=Rules(opening_balance=10**12))
    config = uvicorn.Config(
        Guarita(DiesAfterCommit(bank, folder.path / "die"), MINHA_KONTA, backend),
        http="httptools",
        lifespan="on",
        log_level="error",
        access_log=False,
        proxy_headers=False,
    )
    with socket.socket(fileno=int(descriptor)) as listening:
        try:
            uvicorn.Server(config).run([listening])
        finally:
            backend.close()
            folder.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
