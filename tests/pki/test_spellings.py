"""Fingerprints and serials are accepted in every usual spelling (issue 3)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.pki.encodings import BadSpelling, parse_serial, parse_sha256, serial_text, sha256_of

DIGEST = hashlib.sha256(b"some certificate").digest()
SHOWN = DIGEST.hex(":").upper()

SHA256_SPELLINGS = [
    SHOWN,
    SHOWN.lower(),
    DIGEST.hex(),
    DIGEST.hex().upper(),
    DIGEST.hex(" "),
    DIGEST.hex("-"),
    DIGEST.hex(" ", 4),
    f"SHA256 Fingerprint={SHOWN}",
    f"sha256 Fingerprint={SHOWN}\n",
    f"SHA-256 fingerprint: {SHOWN}",
    f"SHA256:{DIGEST.hex()}",
    f"Fingerprint = {SHOWN}",
    f"Thumbprint: {DIGEST.hex(' ')}",
    f"\u200e{DIGEST.hex(' ')}",
    f"\ufeff  {SHOWN}  ",
    f"SHA256 Fingerprint=\n    {SHOWN[:48]}\n    {SHOWN[48:]}",
]

SERIAL_SPELLINGS = {
    "1": "01",
    "0A": "0A",
    "serial=0A": "0A",
    "serial=1007": "1007",
    "4103 (0x1007)": "1007",
    "Serial Number: 4103 (0x1007)": "1007",
    "Serial Number:\n            0a:0b:0c": "0A0B0C",
    "0x1007": "1007",
    "0X001007": "1007",
    "00:00:10:07": "1007",
    "10 07": "1007",
    "  deadBEEF  ": "DEADBEEF",
    "serial: 5e:e5": "5EE5",
    "Certificate Serial Number: 5ee5": "5EE5",
    "\u200e61 0a": "610A",
    "FACE": "FACE",
    "f" * 40: "F" * 40,
    "0" * 30 + "f" * 40: "F" * 40,
}


@pytest.mark.parametrize("text", SHA256_SPELLINGS)
def test_every_spelling_of_a_fingerprint(text: str) -> None:
    assert parse_sha256(text) == SHOWN == sha256_of(b"some certificate")


@pytest.mark.parametrize("text", SERIAL_SPELLINGS)
def test_every_spelling_of_a_serial(text: str) -> None:
    assert parse_serial(text) == SERIAL_SPELLINGS[text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 hexadecimal digits"),
        (SHOWN[:-1], "63 hexadecimal digits"),
        (SHOWN + ":00", "66 hexadecimal digits"),
        ("aa" * 20, "SHA-1"),
        ("aa" * 16, "MD5"),
        ("aa" * 64, "SHA-512"),
        (f"SHA1 Fingerprint={SHOWN}", "SHA1"),
        (f"sha512:{SHOWN}", "SHA512"),
        ("g" + DIGEST.hex()[1:], "character 1 of"),
        (DIGEST.hex()[:-1] + "z", "character 64 of"),
        ("４２" * 32, "character 1 of"),
        (SHOWN.replace(":", ";"), "character 3 of"),
        (f"serial={SHOWN}", "character 1 of"),
    ],
)
def test_what_is_no_fingerprint(text: str, words: str) -> None:
    with pytest.raises(BadSpelling, match=words):
        parse_sha256(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no digit but zeros"),
        ("serial=", "no digit but zeros"),
        ("00", "no digit but zeros"),
        ("0x", "no digit but zeros"),
        ("-5", "positive"),
        ("1" * 41, "too many"),
        (SHOWN, "too many"),
        ("4103 (0x1008)", "differ"),
        ("9" * 5000 + " (0x1)", "differ"),
        ("xyz", "character 1 of"),
        ("12_34", "character 3 of"),
        ("１２", "character 1 of"),
        ("0x0x12", "character 2 of"),
    ],
)
def test_what_is_no_serial(text: str, words: str) -> None:
    with pytest.raises(BadSpelling, match=words):
        parse_serial(text)


@given(st.integers(min_value=1, max_value=2**160 - 1), st.data())
def test_a_serial_comes_back_from_any_spelling(serial: int, data: st.DataObject) -> None:
    shown = serial_text(serial)
    assert len(shown) % 2 == 0
    assert int(shown, 16) == serial
    pairs = [shown[place : place + 2] for place in range(0, len(shown), 2)]
    text = data.draw(st.sampled_from(["", ":", " ", "-"])).join(pairs)
    text = data.draw(st.sampled_from([str.lower, str.upper]))(text)
    text = "00" * data.draw(st.integers(0, 3)) + text
    label = data.draw(st.sampled_from(["", "serial=", "0x", "Serial Number: "]))
    assert parse_serial(label + text) == shown
    assert parse_serial(shown) == shown
    assert parse_serial(f"{serial} (0x{serial:x})") == shown


@given(st.binary(min_size=32, max_size=32), st.sampled_from([":", " ", "-", ""]), st.booleans())
def test_a_fingerprint_comes_back(digest: bytes, separator: str, upper: bool) -> None:
    text = digest.hex(separator) if separator else digest.hex()
    assert parse_sha256(text.upper() if upper else text) == digest.hex(":").upper()


@given(st.text(max_size=200))
def test_anything_else_is_refused_clearly_and_never_repeated(text: str) -> None:
    for parse in (parse_sha256, parse_serial):
        said = ""
        try:
            parsed = parse(text)
        except BadSpelling as error:
            said = str(error)
        else:
            assert parse(parsed) == parsed
        assert len(text) < 8 or text not in said


def test_a_pasted_secret_is_not_repeated() -> None:
    secret = "dk_" + "3f" * 32
    for parse in (parse_sha256, parse_serial):
        with pytest.raises(BadSpelling) as caught:
            parse(secret)
        assert "3f3f" not in str(caught.value)


def test_serials_as_openssl_prints_them() -> None:
    assert [serial_text(each) for each in (1, 10, 255, 256, 0x1007)] == [
        "01",
        "0A",
        "FF",
        "0100",
        "1007",
    ]
