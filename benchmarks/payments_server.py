"""A child process: the sandbox bank under uvicorn, plain or behind the gate as the demo has it.
Used by `benchmarks.payments`, not by hand.

Argument: {"core", "folder", "account", "guarded"}. Says {"port"} when ready; each line on its
standard input is answered as by `benchmarks.server`, with "settled" besides: how many payments of
the account its ledger holds as executed.
"""

import json
import logging
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.children import bind
from benchmarks.server import FirstOnly, ReportingServer
from benchmarks.world import TrivialApp
from guarita.data_folder import DataFolder
from guarita.decision_log import DecisionLog
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.sandbox import Bank, Rules, create_app
from guarita.sandbox.pix.rules import Bucket
from guarita.serving.asgi import ASGIApp, Guarita
from guarita.serving.backend import Backend

_NO_LIMIT = Bucket(10**9, 10**6)
RULES = Rules(
    opening_balance=10**14,
    settlement_delay_s=0,
    dict_per_account=_NO_LIMIT,
    dict_global=_NO_LIMIT,
)
"""No simulated waiting: what is measured is the work."""


class Counting(TrivialApp):
    """Not so trivial: the bank, and how many requests reach it."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += scope["type"] == "http"
        await self._app(scope, receive, send)


class BankWorld:
    """The bank and, where `guarded`, the gate before it, over one data folder."""

    def __init__(self, folder: Path, account: str, guarded: bool) -> None:
        app = create_app(folder, account=None if guarded else account, rules=RULES)
        self.bank: Bank = app.state.bank
        self.account = account
        self.app: TrivialApp = Counting(app)
        self.log: DecisionLog | None = None
        self.asgi: ASGIApp = self.app
        self._stack = ExitStack()
        if guarded:
            data = self._stack.enter_context(DataFolder(folder))
            backend = Backend.embedded(data)
            self._stack.callback(backend.close)
            self.asgi = Guarita(self.app, MINHA_KONTA, backend)

    def close(self) -> None:
        self._stack.close()


class _Server(ReportingServer):
    def __init__(self, config: uvicorn.Config, world: BankWorld, port: int) -> None:
        super().__init__(config, world, port)
        self._bank, self._account = world.bank, world.account

    def counters(self) -> dict[str, int]:
        return {**super().counters(), "settled": self._bank.count_payments(self._account)}

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.force_exit = False  # the bank's worker ends with its lifespan
        await super().shutdown(sockets)


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    logging.getLogger("uvicorn.error").addFilter(FirstOnly())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        world = BankWorld(Path(options["folder"]), options["account"], options["guarded"])
        config = uvicorn.Config(
            world.asgi,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=3600,
        )
        try:
            _Server(config, world, listening.getsockname()[1]).run([listening])
        finally:
            world.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
