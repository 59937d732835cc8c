"""`guarita certificate revoke | crl`, and what openssl says to the list."""

import datetime as dt
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Key, Runner
from tests.cli.issuing import foreign, issue, listed, mode_of, needs_openssl, openssl

REVOKED = re.compile(r"Serial Number: ([0-9A-F]+)")


@needs_openssl
@pytest.mark.parametrize("by", ["serial", "key", "both"])
def test_a_revoked_certificate_is_out_of_the_keyring_and_on_the_list(
    run: Runner, key: Key, by: str
) -> None:
    made = issue(run, key)
    words = {
        "serial": ["--serial", made["serial"].lower()],
        "key": ["--key", key.key_id],
        "both": ["--serial", made["serial"], "--key", key.key_id],
    }[by]
    done = run("certificate", "revoke", *words, "--reason", "keyCompromise", "--json")
    assert done.status == 0, done.err
    assert done.json["revoked"] == [
        {"serial": made["serial"], "keys": [key.key_id], "on_revocation_list": True}
    ]
    [shown] = listed(run)
    assert (shown["state"], shown["revoked_reason"]) == ("revoked", "keyCompromise")
    text = openssl("crl", "-in", "data/ca/crl.pem", "-noout", "-text")
    assert REVOKED.findall(text) == [made["serial"]]
    assert "Key Compromise" in text
    refused = run("certificate", "register", made["certificate"], "--key", key.key_id)
    assert refused.status == 1
    assert "was revoked" in refused.err
    assert run("certificate", "revoke", *words).status == 0  # asking twice is no error


def test_revoking_a_key_id_takes_everything_issued_for_it(run: Runner, key: Key) -> None:
    made = [issue(run, key, f"out{number}", "--overlap", "0") for number in range(3)]
    # Ended registrations were dropped from the keyring, but any of these could still be used with a
    # key in mode "valid".
    done = run("certificate", "revoke", "--key", key.key_id, "--json").json["revoked"]
    assert {one["serial"] for one in done} == {one["serial"] for one in made}
    assert all(one["on_revocation_list"] for one in done)


def test_revoking_an_outside_certificate_says_whose_list_it_is_not_on(
    run: Runner, key: Key
) -> None:
    certified = foreign()
    Path("cert.pem").write_bytes(certified.pem())
    run("certificate", "register", "cert.pem", "--key", key.key_id)
    serial = f"{certified.certificate.serial_number:X}"
    done = run("certificate", "revoke", "--serial", serial, "--json")
    assert done.json["crl"] is None
    assert [one["on_revocation_list"] for one in done.json["revoked"]] == [False]
    assert "was not issued here" in done.err
    assert [one["state"] for one in listed(run)] == ["revoked"]
    assert not Path("data/ca").exists()


def test_a_certificate_of_a_revoked_key_still_goes_onto_the_list(run: Runner, key: Key) -> None:
    made = issue(run, key)
    run("key", "revoke", key.key_id)
    done = run("certificate", "revoke", "--serial", made["serial"], "--json")
    assert done.status == 0, done.err
    assert done.json["revoked"][0]["on_revocation_list"]


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        ([], 2, "--serial, --key or both"),
        (["--serial", "0A"], 1, "no certificate 0A"),
        (["--serial", "xyz"], 1, "-serial"),
        (["--key", "key_none"], 1, "key_none"),
        (["--serial", "0A", "--reason", "keycompromise"], 2, "did you mean 'keyCompromise'?"),
    ],
)
def test_a_revocation_is_refused(
    run: Runner, key: Key, words: list[str], status: int, hint: str
) -> None:
    result = run("certificate", "revoke", *words)
    assert (result.status, result.out) == (status, "")
    assert hint in result.err


@needs_openssl
def test_the_list_is_written_in_both_forms_and_never_over_a_file(run: Runner, key: Key) -> None:
    none_yet = run("certificate", "crl", "--out", "x.crl")
    assert (none_yet.status, none_yet.out) == (1, "")
    assert "certificate issue" in none_yet.err
    issue(run, key)
    for words, form in (([], "PEM"), (["--der"], "DER")):
        done = run("certificate", "crl", "--out", f"{form}.crl", *words, "--days", "3", "--json")
        assert done.json["out"] == f"{form}.crl"
        assert mode_of(f"{form}.crl") == 0o600
        printed = openssl(
            *("crl", "-in", f"{form}.crl", "-inform", form, "-noout"),
            *("-CAfile", "data/ca/ca.pem", "-lastupdate", "-nextupdate", "-crlnumber"),
        )
        last, following = (
            dt.datetime.strptime(when, "%b %d %H:%M:%S %Y GMT")
            for when in re.findall("Update=(.*)", printed)
        )
        assert following - last == dt.timedelta(days=3)
    refused = run("certificate", "crl", "--out", "PEM.crl")
    assert (refused.status, refused.out) == (1, "")
    assert "--force" in refused.err
    assert run("certificate", "crl", "--out", "PEM.crl", "--force").status == 0
    assert run("certificate", "crl").status == 0  # in the folder only
    assert run("certificate", "crl", "--der").status == 2
