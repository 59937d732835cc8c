"""The directory of PIX keys (DICT), simulated: whom a key leads to, and how often it may be asked.

What belongs here: counterparties and the protection against too many look-ups. What does not: keys
of this bank's own accounts (`books.accounts`), what a payout does when it may not ask (`payouts`).
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from guarita.sandbox.books.accounts import Customer
from guarita.sandbox.pix.rules import SIMULATED_BANKS, Bucket, Rules
from guarita.sandbox.text import documents, timestamps
from guarita.sandbox.text.pix_keys import PixKey

BANK_NAME = "Minha Konta Instituição de Pagamento"  # seed L506

T = TypeVar("T")

_GLOBAL = ""  # the name of the bucket of all accounts together; no account id is empty
_LOOK_UP = 1000  # a bucket's level is in thousandths of a look-up

_GIVEN_NAMES = (
    *("Ana", "Beatriz", "Bruno", "Carla", "Diego", "Eduarda", "Felipe", "Gabriela"),
    *("Henrique", "Isabela", "João", "Larissa", "Marcos", "Natália", "Otávio", "Paula"),
)
_FAMILY_NAMES = (
    *("Almeida", "Barbosa", "Cardoso", "Dias", "Esteves", "Ferreira", "Gomes", "Lima"),
    *("Moreira", "Nogueira", "Oliveira", "Pereira", "Ribeiro", "Souza", "Teixeira", "Vieira"),
)
_TRADES = ("Comércio", "Serviços", "Tecnologia", "Alimentos", "Transportes", "Papelaria")


@dataclass(frozen=True, slots=True)
class Counterparty:
    """Who is at the other end: `document` is a CPF (11 digits) or CNPJ (14 characters), `ispb` the
    code of the bank (8 digits).
    """

    name: str
    document: str
    ispb: str
    bank_name: str

    @property
    def columns(self) -> dict[str, str]:
        """The fields of a transaction (`books.transactions`) that tell of it."""
        return {
            "counterparty_name": self.name,
            "counterparty_document": self.document,
            "counterparty_ispb": self.ispb,
            "counterparty_bank": self.bank_name,
        }


def look_up(key: PixKey) -> Counterparty:
    """Whom a key of another bank leads to: a pure function of the key. A CPF or CNPJ key is its
    holder's document.
    """
    if key.type == "cnpj":
        return replace(_company(key.value), document=key.value)
    person = someone(key.value)
    return replace(person, document=key.value) if key.type == "cpf" else person


def someone(of: str, *, name: str | None = None) -> Counterparty:
    """A person at another bank: a pure function of the text `of`, under the name given, if any."""
    seed = _Seed(of)
    made = f"{seed.choice(_GIVEN_NAMES)} {seed.choice(_FAMILY_NAMES)} {seed.choice(_FAMILY_NAMES)}"
    body = f"{seed.number(10**9):09}"
    ispb, bank = seed.choice(SIMULATED_BANKS)
    return Counterparty(name or made, body + documents.cpf_check_digits(body), ispb, bank)


def of_customer(customer: Customer, *, rules: Rules) -> Counterparty:
    """A customer of this bank, as the other side of a payment sees it."""
    body = f"{_Seed(customer.account).number(10**8):08}0001"
    document = body + documents.cnpj_check_digits(body)
    return Counterparty(customer.name, document, rules.ispb, BANK_NAME)


def admit(conn: sqlite3.Connection, account: str, *, at: datetime, rules: Rules) -> bool:
    """Whether the directory may be asked now for the account; if so, the look-up is counted.

    Two leaky buckets must have room for it: the account's and that of all accounts. `conn` must be
    inside a write transaction.
    """
    now_ms = timestamps.milliseconds(at)
    buckets = ((account, rules.dict_per_account), (_GLOBAL, rules.dict_global))
    levels = [_leaked(conn, name, bucket, now_ms) for name, bucket in buckets]
    for (_, bucket), (level, _at_ms) in zip(buckets, levels, strict=True):
        if level + _LOOK_UP > bucket.capacity * _LOOK_UP:
            return False
    for (name, _), (level, at_ms) in zip(buckets, levels, strict=True):
        conn.execute(
            "INSERT INTO dict_buckets (name, level, at_ms) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET level = excluded.level, at_ms = excluded.at_ms",
            (name, level + _LOOK_UP, at_ms),
        )
    return True


def _leaked(conn: sqlite3.Connection, name: str, bucket: Bucket, now_ms: int) -> tuple[int, int]:
    """The bucket's level now, and up to when it has leaked. What is too little to be counted yet
    leaks later, so that asking often does not keep the bucket full.
    """
    row = conn.execute("SELECT level, at_ms FROM dict_buckets WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0, now_ms
    level, at_ms = int(row[0]), int(row[1])
    if at_ms > now_ms:  # the clock was put back: it leaks on from now, not only from then
        conn.execute("UPDATE dict_buckets SET at_ms = ? WHERE name = ?", (now_ms, name))
        at_ms = now_ms
    per_second = max(1, round(bucket.per_second * _LOOK_UP))
    leaked = (now_ms - at_ms) * per_second // 1000
    if leaked >= level:
        return 0, now_ms
    return level - leaked, at_ms - (-leaked * 1000 // per_second)


def _company(of: str) -> Counterparty:
    seed = _Seed(of)
    name = f"{seed.choice(_FAMILY_NAMES)} {seed.choice(_TRADES)} Ltda."
    ispb, bank = seed.choice(SIMULATED_BANKS)
    return Counterparty(name, "", ispb, bank)


class _Seed:
    """Choices drawn from the digest of a text: the same text, the same choices."""

    def __init__(self, of: str) -> None:
        self._left = int.from_bytes(hashlib.sha256(of.encode()).digest(), "big")

    def number(self, below: int) -> int:
        self._left, drawn = divmod(self._left, below)
        return drawn

    def choice(self, of: Sequence[T]) -> T:
        return of[self.number(len(of))]
