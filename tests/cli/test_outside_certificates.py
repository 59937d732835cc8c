"""`guarita certificate register | retire`: certificates that somebody else has issued."""

import datetime as dt
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Issuer
from tests.cli.conftest import Key, Runner
from tests.cli.issuing import foreign, issue, listed, sha256_of


def test_an_outside_certificate_is_registered_in_every_form(
    run: Runner, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    certified = foreign()
    monkeypatch.setenv("P12", "segredo")
    forms: dict[str, bytes] = {
        "cert.pem": certified.pem(),
        "chain.pem": certified.pem(chain=True),
        "upside-down.pem": b"".join(
            one.public_bytes(Encoding.PEM) for one in (*certified.above, certified.certificate)
        ),
        "cert.der": certified.der,
        "cert.p12": certified.pkcs12(b"segredo"),
    }
    for name, content in forms.items():
        Path(name).write_bytes(content)
        words = ("--password-env", "P12") if name.endswith("p12") else ()
        result = run("certificate", "register", name, "--key", key.key_id, *words, "--json")
        assert result.status == 0, (name, result.err)
        [pin] = result.json["certificates"]
        assert pin["sha256"] == sha256_of(certified)
        assert int(pin["serial"], 16) == certified.certificate.serial_number
        assert pin["subject"] == "CN=loja"


def test_a_certificate_is_registered_by_its_numbers_in_any_spelling(run: Runner, key: Key) -> None:
    certified = foreign()
    serial, sha256 = f"{certified.certificate.serial_number:x}", sha256_of(certified)
    for spelled in (
        (f"serial={serial.upper()}", f"SHA256 Fingerprint={sha256}"),
        (f"0x00{serial}", sha256.lower().replace(":", "")),
        (":".join(re.findall("..", serial.zfill(40))), sha256.replace(":", " ")),
    ):
        words = ("--serial", spelled[0], "--sha256", spelled[1])
        result = run("certificate", "register", "--key", key.key_id, *words, "--json")
        assert result.status == 0, result.err
        [pin] = result.json["certificates"]
        assert (pin["sha256"], pin["days_to_expiry"]) == (sha256, None)
        assert int(pin["serial"], 16) == certified.certificate.serial_number


def test_what_cannot_be_registered_names_the_file_and_the_fault(
    run: Runner, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    certified = foreign()
    monkeypatch.setenv("P12", "errado")
    Path("cut.pem").write_bytes(certified.pem()[:200])
    Path("cert.p12").write_bytes(certified.pkcs12(b"segredo"))
    Path("two.pem").write_bytes(certified.pem() + foreign().pem())
    Path("key.pem").write_bytes(certified.key_pem())
    Path("expired.pem").write_bytes(
        Issuer.root("CA").leaf("x", not_after=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).pem()
    )
    number = ("--serial", "01", "--sha256", "AB" * 32)
    for words, status, hint in (
        (["cut.pem"], 1, "cut.pem: truncated"),
        (["cert.p12"], 1, "cert.p12: PKCS#12, but no password was given"),
        (["cert.p12", "--password-env", "P12"], 1, "the password is wrong"),
        (["cert.p12", "--password-env", "segredo"], 2, "is not set"),
        (["two.pem"], 1, "two.pem holds 2 certificates"),
        (["key.pem"], 1, "key.pem: holds no certificate"),
        (["expired.pem"], 1, "has expired already"),
        (["none.pem"], 1, "cannot read none.pem"),
        ([], 2, "FILE, or both --serial and --sha256"),
        (["--serial", "01"], 2, "both --serial and --sha256"),
        (["cut.pem", *number], 2, "either a FILE"),
        (["--serial", "01", "--sha256", "AB" * 20], 1, "SHA-1"),
        (["--serial", "xyz", "--sha256", "AB" * 32], 1, "-serial"),
    ):
        result = run("certificate", "register", *words, "--key", key.key_id)
        assert (result.status, result.out) == (status, ""), words
        assert hint in result.err, (words, result.err)
        assert "errado" not in result.err
        assert "segredo" not in result.err
    assert listed(run) == []


def test_a_retired_certificate_can_come_back(run: Runner, key: Key) -> None:
    made = issue(run, key)
    retired = run("certificate", "retire", made["serial"].lower(), "--key", key.key_id, "--json")
    assert [one["state"] for one in retired.json["certificates"]] == ["ended"]
    again = run("certificate", "register", made["certificate"], "--key", key.key_id, "--json")
    assert [one["state"] for one in again.json["certificates"]] == ["live"]
