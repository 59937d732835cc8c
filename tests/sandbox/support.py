"""What the sandbox's tests share: a driven clock, data files, clients and other processes."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from guarita.sandbox.bank import Bank
from guarita.sandbox.pix.payouts import CashOut
from guarita.sandbox.text import pix_keys

REPOSITORY = Path(__file__).resolve().parents[2]
ACCOUNT = "acc_1"
FEE = 350


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (REPOSITORY / "tests" / "vectors" / name).read_text("utf-8")
    )
    return loaded


def order(amount: int = 3000, key: str = "52998224725", external_id: str | None = None) -> CashOut:
    return CashOut(amount, pix_keys.parse(key), external_id=external_id)


def events(bank: Bank, *subjects: str) -> list[tuple[str, str]]:
    """Type and status of the webhook events written so far, in order; of these subjects, if any."""
    with bank.database.reading() as conn:
        rows = conn.execute("SELECT subject, event_type, status FROM events ORDER BY number")
        return [(row[1], row[2]) for row in rows if not subjects or row[0] in subjects]


def client(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://bank.test/api/external")


def python(*arguments: str) -> subprocess.Popen[str]:
    """A Python process that sees the sources under test, with text pipes."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
    )
