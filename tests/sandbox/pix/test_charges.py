"""Charges, made and found: their fields, codes and pictures."""

import base64
import re
import struct
import zlib
from datetime import timedelta
from typing import Any

import pytest
import segno

from guarita.sandbox.books import accounts
from guarita.sandbox.pix import charges
from guarita.sandbox.pix.charges import CashIn
from guarita.sandbox.pix.rules import Rules
from guarita.sandbox.refusals import Refused
from guarita.sandbox.text import brcode, pix_keys
from guarita.sandbox.text.pix_keys import PixKey
from tests.sandbox.pix.desks import ACCOUNT, Desk

EMAIL = PixKey("email", "loja@exemplo.test")
CPF = PixKey("cpf", "12345678901")
DAY = timedelta(days=1)


# Made


def test_a_charge_as_asked_for(desk: Desk) -> None:
    desk.register(EMAIL)
    charge = desk.charge(
        4590, description="Assinatura", external_id="sub-1", pix_key=EMAIL, city="Ilhéus"
    )
    assert re.fullmatch(r"[a-z0-9]{26,35}", charge.transaction_id)
    assert (charge.account, charge.status, charge.amount) == (ACCOUNT, "active", 459_000)
    assert (charge.description, charge.external_id) == ("Assinatura", "sub-1")
    assert (charge.pix_key, charge.city) == (EMAIL.value, "Ilheus")
    assert charge.created_at == "2026-05-01T12:00:30Z"
    assert charge.expires_at == "2026-05-02T12:00:30Z"
    assert (charge.completed_at, charge.paid_transaction_id) == (None, None)
    assert (charge.scenario, charge.due_ms) == (None, None)
    assert desk.now_of(charge) == charge
    assert desk.story(charge) == ["active"]
    assert desk.balances()["available"] == 0


def test_its_code_leads_to_it(desk: Desk) -> None:
    charge = desk.charge(city="São José dos Campos")
    code = brcode.parse(charge.qr_code)
    assert code.url is not None
    assert len(code.url) <= brcode.MAX_URL
    assert code.url == charges.LOCATIONS + charge.location
    assert (code.point_of_initiation, code.pix_key, code.txid) == ("12", None, None)
    assert (code.merchant_name, code.city) == ("Lojista 100731", "Sao Jose dos Ca")
    assert "62070503***6304" in charge.qr_code
    with desk.open() as conn:
        assert charges.by_location(conn, code.url) == charge
        assert charges.by_location(conn, charge.location) is None
        assert charges.by_location(conn, "other.example/qr/v2/" + charge.location) is None


def test_the_host_of_its_url_may_be_spelled_in_any_case(desk: Desk) -> None:
    """A payer's bank that wrote it in capitals paid a made-up stranger instead."""
    charge = desk.charge()
    host, _, path = charges.LOCATIONS.partition("/")
    for spelled in (host.upper(), host.title(), f"{host}:443"):
        with desk.open() as conn:
            assert charges.by_location(conn, f"{spelled}/{path}{charge.location}") == charge


@pytest.mark.parametrize(
    "path",
    ["qr/v2/" + "0" * 32, "qr/v2/", "qr/v2/LOCATION?x", "QR/V2/LOCATION", "/qr/v2/LOCATION", "x"],
)
def test_a_url_of_this_bank_that_leads_to_no_charge_is_refused(desk: Desk, path: str) -> None:
    """It led to a made-up stranger, as a URL of another bank does."""
    charge = desk.charge()
    url = "pix.minhakonta.example/" + path.replace("LOCATION", charge.location)
    with desk.open() as conn, pytest.raises(charges.UnknownCharge, match=r"^Charge not found$"):
        charges.by_location(conn, url)


def test_a_key_given_as_text_is_first_what_the_account_lists(desk: Desk) -> None:
    """Eleven digits registered as a CPF were read as a phone number, which nobody has."""
    desk.register(CPF)  # without the check digits of a CPF
    desk.register(EMAIL)
    assert desk.charge(pix_key=CPF.value).pix_key == CPF.value
    assert desk.charge(pix_key=EMAIL.value.upper()).pix_key == EMAIL.value
    with pytest.raises(Refused, match="PIX key not found"):
        desk.charge(pix_key="52998224725")
    with pytest.raises(pix_keys.InvalidPixKey):
        desk.charge(pix_key="no key")


@pytest.mark.parametrize(
    ("order", "member", "value"),
    [
        ({}, "description", "Cobranca PIX"),
        ({"description": ""}, "description", "Cobranca PIX"),
        ({}, "city", "SAO PAULO"),
        ({"city": "北京"}, "city", "SAO PAULO"),
        ({"city": "Belo Horizonte, Minas Gerais"}, "city", "Belo Horizonte,"),
        ({}, "external_id", None),
    ],
)
def test_defaults(desk: Desk, order: dict[str, Any], member: str, value: str | None) -> None:
    assert getattr(desk.charge(**order), member) == value


def test_the_newest_key_receives(desk: Desk) -> None:
    first = desk.charge()
    with desk.open() as conn:
        assert [key.key for key in accounts.keys(conn, ACCOUNT)] == [first.pix_key]
    desk.register(EMAIL)
    desk.register(CPF)
    assert desk.charge().pix_key == CPF.value
    assert desk.charge(pix_key=EMAIL).pix_key == EMAIL.value


@pytest.mark.parametrize("status", ["pending", "portability"])
def test_only_active_keys_receive(desk: Desk, status: str) -> None:
    opened = desk.charge().pix_key
    desk.register(EMAIL)
    with desk.open() as conn:
        conn.execute("UPDATE pix_keys SET status = ? WHERE key = ?", (status, EMAIL.value))
    assert desk.charge().pix_key == opened
    with pytest.raises(Refused, match="PIX key not found"):
        desk.charge(pix_key=EMAIL)


def test_nobody_elses_key_receives(desk: Desk) -> None:
    desk.register(EMAIL, account="acc_2")
    for key in (EMAIL, CPF):
        with pytest.raises(Refused, match="PIX key not found"):
            desk.charge(pix_key=key)
    assert desk.count("charges") == desk.count("events") == 0


def test_an_account_opens_with_its_first_charge(desk: Desk) -> None:
    desk.rules = Rules(opening_balance=70)
    assert desk.charge(account="acc_new").account == "acc_new"
    with desk.open() as conn:
        opened = accounts.balance(conn, "acc_new")
    assert opened is not None
    assert opened.available == 70


@pytest.mark.parametrize("amount", [0, -1, 10**12, True, 1.0, "1"])
def test_amounts_that_cannot_be_charged(amount: Any) -> None:
    with pytest.raises(ValueError, match="1 to 999999999999 centavos"):
        CashIn(amount)


def test_the_greatest_amount(desk: Desk) -> None:
    charge = desk.charge(10**12 - 1)
    assert desk.pay(charge).amount == 10**14 - 100


def test_the_image_holds_the_code(desk: Desk) -> None:
    charge = desk.charge()
    data_url = charges.png_data_url(charge.qr_code)
    scheme, _, encoded = data_url.partition(",")
    assert scheme == "data:image/png;base64"
    expected = segno.make(charge.qr_code, error="m", boost_error=False, micro=False)
    assert expected.error == "M"
    assert modules(base64.b64decode(encoded)) == [
        [bool(module) for module in row] for row in expected.matrix_iter(border=4)
    ]
    assert charges.png_data_url(charge.qr_code) == data_url


# Found


def test_another_accounts_charge_is_not_found(desk: Desk) -> None:
    charge = desk.charge(account="acc_2", external_id="x-1")
    with desk.open() as conn:
        assert charges.find(conn, "acc_2", charge.transaction_id) == charge
        assert charges.find(conn, ACCOUNT, charge.transaction_id) is None
        assert charges.by_external_id(conn, "acc_2", "x-1") == charge
        assert charges.by_external_id(conn, ACCOUNT, "x-1") is None
        assert charges.by_tag(conn, "acc_2", charge.transaction_id[:5]) == [charge]
        assert charges.by_tag(conn, ACCOUNT, charge.transaction_id[:5]) == []


def test_the_latest_of_an_external_id_is_found(desk: Desk) -> None:
    desk.charge(external_id="x-1")
    latest = desk.charge(external_id="x-1")
    with desk.open() as conn:
        assert charges.by_external_id(conn, ACCOUNT, "x-1") == latest
        assert charges.by_external_id(conn, ACCOUNT, "x-2") is None


def test_a_tag_lists_the_newest_first_and_50_at_most(desk: Desk) -> None:
    made = []
    for _ in range(51):
        made.append(desk.charge())
        desk.advance(seconds=1)
    with desk.open() as conn:
        assert charges.by_tag(conn, ACCOUNT, "") == made[:0:-1]
        assert charges.by_tag(conn, ACCOUNT, "%") == []


def test_a_charge_nobody_made(desk: Desk) -> None:
    with desk.open() as conn:
        assert charges.find(conn, ACCOUNT, "x" * 32) is None
        with pytest.raises(LookupError, match="there is no charge"):
            charges.get(conn, "x" * 32)


def modules(png: bytes) -> list[list[bool]]:
    """The modules of a QR code's picture, four pixels wide each, read from a one-bit grey PNG: row
    filter 0 tells a row's bytes, filter 2 how they differ from the row above.
    """
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks[png[at + 4 : at + 8]] = png[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (width, depth, colour) == (height, 1, 0)
    data = zlib.decompress(chunks[b"IDAT"])
    size = (width + 7) // 8
    row = bytes(size)
    lines: list[str] = []
    for start in range(0, len(data), 1 + size):
        assert data[start] in (0, 2)
        above = row if data[start] == 2 else bytes(size)
        told = data[start + 1 : start + 1 + size]
        row = bytes((a + b) % 256 for a, b in zip(above, told, strict=True))
        lines.append("".join(f"{byte:08b}" for byte in row)[:width])
    assert len(lines) == height
    return [[bit == "0" for bit in line[::4]] for line in lines[::4]]
