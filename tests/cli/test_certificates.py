"""`guarita certificate issue | list`, and what openssl says to what was issued."""

import datetime as dt
import re
from pathlib import Path

import pytest

from guarita.data_folder import DataFolder
from guarita.records import CertificatePin
from tests.cli.conftest import Key, Merchant, Runner
from tests.cli.issuing import issue, listed, mode_of, needs_openssl, openssl

# Issue


def test_an_issued_certificate_is_registered_and_its_files_are_private(
    run: Runner, key: Key, tmp_path: Path
) -> None:
    made = issue(run, key)
    assert list(made)[:6] == [
        *("certificate", "private_key", "pkcs12", "pkcs12_password", "serial", "sha256")
    ]
    for name in ("certificate", "private_key", "pkcs12"):
        assert mode_of(made[name]) == 0o600
    assert mode_of("out") == 0o700
    ca = tmp_path / "data" / "ca"
    assert mode_of(ca) == 0o700
    assert mode_of(ca / "passphrase") == mode_of(ca / "ca.key") == 0o600
    assert b"ENCRYPTED" in (ca / "ca.key").read_bytes()
    [shown] = listed(run)
    assert shown["key_id"] == key.key_id
    assert (shown["serial"], shown["sha256"]) == (made["serial"], made["sha256"])
    assert (shown["state"], shown["warning"], shown["days_to_expiry"]) == ("live", None, 364)
    with DataFolder(tmp_path / "data") as folder:
        [pin] = folder.keyring.key(key.key_id).certificates
        assert (pin.serial, pin.sha256) == (made["serial"], made["sha256"])


@needs_openssl
def test_numbers_are_those_openssl_prints_and_the_pkcs12_opens(run: Runner, key: Key) -> None:
    made = issue(run, key)
    printed = openssl(
        "x509", "-in", made["certificate"], "-noout", "-serial", "-fingerprint", "-sha256"
    ).splitlines()
    assert printed[0] == f"serial={made['serial']}"
    assert printed[1].partition("=")[2] == made["sha256"]  # seed L82
    password = f"pass:{made['pkcs12_password']}"
    opened = openssl("pkcs12", "-in", made["pkcs12"], "-nodes", "-passin", password)
    assert "PRIVATE KEY" in opened
    public = openssl("pkey", "-in", made["private_key"], "-pubout")
    assert public == openssl("x509", "-in", made["certificate"], "-noout", "-pubkey")
    ca = "data/ca/ca.pem"
    assert "OK" in openssl("verify", "-CAfile", ca, "-purpose", "sslclient", made["certificate"])


def test_the_password_is_shown_once(run: Runner, key: Key) -> None:
    result = run("certificate", "issue", "--key", key.key_id, "--out", "out")
    [password] = re.findall(r"pkcs12_password +([0-9a-f]{32})", result.out)
    assert "will not be shown again" in result.out
    assert password not in result.err
    assert "made a certificate authority" in result.err
    for file in Path("data").rglob("*"):
        if file.is_file():
            assert password.encode() not in file.read_bytes()
    assert password not in run("certificate", "list").out + run("key", "show", key.key_id).out


@needs_openssl
def test_a_request_is_certified_without_a_private_key(run: Runner, key: Key) -> None:
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=ignored"),
    )
    made = issue(run, key, "out", "--csr", "own.csr", "--days", "10", "--name", "loja da ana")
    assert [made[n] for n in ("private_key", "pkcs12", "pkcs12_password")] == [None] * 3
    assert [file.name for file in Path("out").iterdir()] == ["client.crt"]
    public = openssl("pkey", "-in", "own.key", "-pubout")
    assert public == openssl("x509", "-in", made["certificate"], "-noout", "-pubkey")
    assert "CN=loja da ana" in made["subject"]
    [shown] = listed(run)
    assert (shown["days_to_expiry"], shown["warning"]) == (9, "expires in less than 30 days")


def test_files_that_are_there_are_not_overwritten(run: Runner, key: Key) -> None:
    first = issue(run, key)
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    refused = run("certificate", "issue", "--key", key.key_id, "--out", "out")
    assert (refused.status, refused.out) == (1, "")
    assert "--force" in refused.err
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert [one["serial"] for one in listed(run)] == [first["serial"]]
    Path("out/client.key").chmod(0o644)
    second = issue(run, key, "out", "--force")
    assert mode_of("out/client.key") == 0o600
    assert {path.name for path in Path("out").iterdir()} == set(before)
    assert [one["serial"] for one in listed(run)] == [second["serial"], first["serial"]]


def test_a_rotation_has_two_and_refuses_a_third_before_issuing_it(run: Runner, key: Key) -> None:
    first = issue(run, key, "a")
    second = issue(run, key, "b", "--overlap", "3600")
    new, old = listed(run, "--key", key.key_id)
    assert (new["serial"], new["valid_until"]) == (second["serial"], None)
    assert old["serial"] == first["serial"]
    assert old["valid_until"] is not None
    refused = run("certificate", "issue", "--key", key.key_id, "--out", "c")
    assert (refused.status, refused.out) == (1, "")
    assert "two live certificates until" in refused.err
    assert not Path("c").exists()
    third = issue(run, key, "c", "--overlap", "0")
    assert [(one["serial"], one["state"]) for one in listed(run)] == [
        (third["serial"], "live"),
        (second["serial"], "ended"),
        (first["serial"], "ended"),
    ]


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["--days", "0"], 2, "--days"),
        (["--days", "9999"], 1, "choose fewer days"),
        (["--csr", "missing.csr"], 1, "cannot read missing.csr"),
        (["--csr", "junk"], 1, "request cannot be read"),
        (["--name", "x" * 65], 1, "64"),
        (["--overlap", "-1"], 2, "--overlap"),
    ],
)
def test_an_issue_is_refused(
    run: Runner, key: Key, words: list[str], status: int, hint: str
) -> None:
    Path("junk").write_bytes(b"junk")
    result = run("certificate", "issue", "--key", key.key_id, "--out", "out", *words)
    assert (result.status, result.out) == (status, "")
    assert hint in result.err
    assert listed(run) == []
    assert list(Path("out").glob("*")) == []


def test_only_delfinance_keys_have_certificates(run: Runner, merchant: Merchant) -> None:
    for words in (
        ["issue", "--key", merchant.client_id, "--out", "out"],
        ["register", "--key", merchant.client_id, "--serial", "01", "--sha256", "AB" * 32],
        ["retire", "01", "--key", merchant.client_id],
        ["revoke", "--key", merchant.client_id],
        ["list", "--key", merchant.client_id],
    ):
        result = run("certificate", *words)
        assert (result.status, result.out) == (1, "")
        assert "have no client certificates" in result.err
    assert not Path("out").exists()
    assert not Path("data/ca").exists()


def test_the_authoritys_passphrase_may_come_from_a_variable(
    run: Runner, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARITA_CA_PASSPHRASE", "uma frase bem comprida")
    issue(run, key, "a")
    assert not Path("data/ca/passphrase").exists()
    monkeypatch.setenv("GUARITA_CA_PASSPHRASE", "outra frase bem comprida")
    refused = run("certificate", "issue", "--key", key.key_id, "--out", "b")
    assert (refused.status, refused.out) == (1, "")
    assert "ca.key: the passphrase is wrong" in refused.err
    assert "frase" not in refused.err


# List


def test_warnings_begin_at_30_7_and_1_days(run: Runner, key: Key, tmp_path: Path) -> None:
    day = 86_400.0
    warned = []
    for left in (31.5, 29.9, 7.1, 6.9, 1.1, 0.9):
        now = dt.datetime.now(dt.UTC).timestamp()
        with DataFolder(tmp_path / "data") as folder:
            pin = CertificatePin("01", ":".join(["AB"] * 32), "", 0.0, now + left * day)
            folder.keyring.register_certificate(key.key_id, pin)
        [shown] = listed(run)
        assert shown["days_to_expiry"] == int(left)
        warned.append(shown["warning"])
    assert warned == [
        None,
        "expires in less than 30 days",
        "expires in less than 30 days",
        "expires in less than 7 days",
        "expires in less than 7 days",
        "expires in less than a day",
    ]
    assert "EXPIRES IN LESS THAN A DAY" in run("key", "show", key.key_id).out
    assert "expires in less than a day" in run("certificate", "list").out


def test_the_list_is_of_all_keys_or_of_one(run: Runner, key: Key, merchant: Merchant) -> None:
    assert "No certificate is registered." in run("certificate", "list").out
    issue(run, key)
    words = ("key", "create", "--profile", "delfinance", "--account", merchant.account_id)
    other = run(*words, "--json").json["key_id"]
    assert [one["key_id"] for one in listed(run)] == [key.key_id]
    assert listed(run, "--key", other) == []
    shown = run("key", "show", key.key_id, "--json").json["certificates"]
    [document] = listed(run)
    assert shown == [{k: v for k, v in document.items() if k not in ("key_id", "account_id")}]
