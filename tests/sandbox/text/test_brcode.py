"""BR Codes: the tables of codes read and refused, and laws over any code."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guarita.sandbox.text import pix_keys, tlv
from guarita.sandbox.text.brcode import BrCode, InvalidBrCode, parse
from guarita.sandbox.text.pix_keys import PixKey
from tests.sandbox.support import vectors

VECTORS = vectors("brcode.json")
MANUAL = VECTORS["codes"][0]["text"]
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def says(code: BrCode) -> dict[str, Any]:
    """What a code says, as the table writes it: without what has its default."""
    told = {name: getattr(code, name) for name in BrCode.__dataclass_fields__}
    if code.pix_key is not None:
        told["pix_key"] = {"type": code.pix_key.type, "value": code.pix_key.value}
    told["templates"] = [list(field) for field in code.templates]
    if code.merchant_category == "0000":
        del told["merchant_category"]
    return {name: value for name, value in told.items() if value not in (None, [])}


@pytest.mark.parametrize("case", VECTORS["checksums"], ids=lambda c: c["crc"])
def test_checksum(case: dict[str, Any]) -> None:
    assert tlv.checksum(case["text"]) == case["crc"]


@pytest.mark.parametrize("case", VECTORS["codes"], ids=lambda c: c["source"])
def test_codes_that_are_read(case: dict[str, Any]) -> None:
    code = parse(case["text"])
    assert says(code) == case["says"]
    assert (code.text == case["text"]) == case["reproduced"]
    assert parse(code.text) == code


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda c: f"{c['why']}-{c['source']}")
def test_codes_that_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidBrCode) as refused:
        parse(case["text"])
    assert case["why"] in refused.value.text
    assert refused.value.text.startswith("Invalid BR Code: ")
    assert str(refused.value) == refused.value.text


@pytest.mark.parametrize("case", VECTORS["reduced"], ids=lambda c: c["reduced"])
def test_reduced(case: dict[str, Any]) -> None:
    assert tlv.reduced(case["text"], case["limit"]) == case["reduced"]


@pytest.mark.parametrize("table", ["checksums", "reduced", "codes", "refused"])
def test_every_case_names_a_source(table: str) -> None:
    for case in VECTORS[table]:
        assert case["source"].split()[0].rstrip(":") in VECTORS["sources"]


def test_lengths_count_characters_and_the_checksum_bytes() -> None:
    (own_example,) = [c["text"] for c in VECTORS["refused"] if c["text"].endswith("A13A")]
    fields = dict(tlv.read(own_example))
    assert tlv.read(fields["64"]) == [("00", "ZH"), ("01", "最佳运输"), ("02", "北京")]
    assert tlv.checksum(own_example[:-4]) == "A13A"


# Laws

KEYS = st.one_of(
    st.uuids().map(lambda uuid: PixKey("evp", str(uuid))),
    st.from_regex(r"[0-9]{11}", fullmatch=True).map(lambda text: PixKey("cpf", text)),
    st.from_regex(r"[0-9A-Z]{12}[0-9]{2}", fullmatch=True).map(lambda text: PixKey("cnpj", text)),
    st.from_regex(r"\+55[1-9]{2}9[0-9]{8}", fullmatch=True).map(lambda t: PixKey("phone", t)),
    st.from_regex(r"[a-z]{1,60}@[a-z]{1,8}\.test", fullmatch=True).map(
        lambda text: PixKey("email", text)
    ),
)
NAMES = st.text(min_size=1, max_size=40).filter(lambda text: tlv.reduced(text, 15) != "")
TXIDS = st.none() | st.from_regex(r"[A-Za-z0-9]{1,25}", fullmatch=True)
AMOUNTS = st.none() | st.integers(1, 10**12 - 1)
STATIC = st.builds(
    BrCode.static,
    KEYS,
    merchant_name=NAMES,
    city=NAMES,
    amount_centavos=AMOUNTS,
    txid=TXIDS,
    description=st.none() | st.text(max_size=80),
)
DYNAMIC = st.builds(
    BrCode.dynamic,
    st.from_regex(r"[a-z0-9]{1,20}\.example(:[0-9]{1,5})?/[a-zA-Z0-9/.-]{1,40}", fullmatch=True),
    merchant_name=NAMES,
    city=NAMES,
)
PRODUCED = STATIC | DYNAMIC


@given(code=PRODUCED)
def test_what_is_written_reads_the_same(code: BrCode) -> None:
    assert parse(code.text) == code


@given(code=PRODUCED)
def test_what_is_written_is_plain(code: BrCode) -> None:
    assert set(code.text) <= set(PRINTABLE)
    assert len(code.merchant_name) <= 25
    assert len(code.city) <= 15
    assert code.text.startswith("000201")
    assert code.text[-8:-4] == "6304"
    assert code.text[-4:] == f"{bitwise(code.text[:-4].encode()):04X}"


@given(code=PRODUCED)
def test_every_truncation_is_refused(code: BrCode) -> None:
    for length in range(len(code.text)):
        with pytest.raises(InvalidBrCode):
            parse(code.text[:length])


@given(code=PRODUCED, more=st.text(min_size=1, max_size=20))
def test_every_addition_is_refused(code: BrCode, more: str) -> None:
    with pytest.raises(InvalidBrCode):
        parse(code.text + more)


def test_every_change_of_one_character_is_refused() -> None:
    for at, right in enumerate(MANUAL):
        in_checksum = at >= len(MANUAL) - 4
        for wrong in PRINTABLE:
            if wrong == right or (in_checksum and wrong.upper() == right):
                continue
            with pytest.raises(InvalidBrCode):
                parse(MANUAL[:at] + wrong + MANUAL[at + 1 :])


@given(code=PRODUCED, data=st.data())
def test_a_changed_character_is_refused(code: BrCode, data: st.DataObject) -> None:
    text = code.text
    at = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from(PRINTABLE))
    assume(wrong.upper() != text[at].upper())
    with pytest.raises(InvalidBrCode):
        parse(text[:at] + wrong + text[at + 1 :])


@given(code=PRODUCED, data=st.data())
def test_two_neighbours_exchanged_are_refused(code: BrCode, data: st.DataObject) -> None:
    text = code.text
    at = data.draw(st.integers(0, len(text) - 2))
    assume(text[at] != text[at + 1])
    with pytest.raises(InvalidBrCode):
        parse(text[:at] + text[at + 1] + text[at] + text[at + 2 :])


FIELDS = st.lists(
    st.tuples(st.from_regex(r"[0-9]{2}", fullmatch=True), st.text(min_size=1, max_size=99)),
    unique_by=lambda field: field[0],
    max_size=8,
)


@given(fields=FIELDS)
def test_fields_written_read_the_same(fields: list[tuple[str, str]]) -> None:
    assert tlv.read(tlv.write(fields)) == fields


@given(text=st.text(alphabet=st.sampled_from("0123456789AZ*é")) | st.text())
def test_any_text_is_fields_or_is_refused(text: str) -> None:
    try:
        fields = tlv.read(text)
    except tlv.InvalidTlv:
        return
    assert tlv.write(fields) == text


@given(text=st.text() | st.text(alphabet="0123456789").map(lambda digits: "000201" + digits))
def test_any_text_is_a_code_or_is_refused(text: str) -> None:
    with pytest.raises(InvalidBrCode):
        parse(text)


@given(text=st.binary(max_size=200))
def test_the_checksum_is_the_bitwise_one(text: bytes) -> None:
    decoded = text.decode("latin-1")
    assert tlv.checksum(decoded) == f"{bitwise(decoded.encode()):04X}"


@given(text=st.text(), limit=st.integers(0, 30))
def test_reduced_is_final(text: str, limit: int) -> None:
    plain = tlv.reduced(text, limit)
    assert len(plain) <= limit
    assert set(plain) <= set(PRINTABLE)
    assert tlv.reduced(plain, limit) == plain


@given(amount=st.integers(1, 10**12 - 1))
def test_amounts_are_exact(amount: int) -> None:
    code = BrCode.static(PixKey("cpf", "52998224725"), merchant_name="A", city="B")
    body = code.text[:-8].replace("5802BR", f"54{field_54(amount)}5802BR") + "6304"
    assert parse(body + tlv.checksum(body)).amount_centavos == amount


# What cannot be written


EVP = PixKey("evp", "123e4567-e12b-12d1-a456-426655440000")
LONG_KEY = pix_keys.parse("a" * 63 + "@exemplo.test", "email")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: BrCode("A", "B"), "neither a key nor a URL"),
        (lambda: BrCode("A", "B", pix_key=EVP, url="a.test/b"), "both a key and a URL"),
        (lambda: BrCode("A", "B", url="a.test/b", amount_centavos=1), "neither amount nor txid"),
        (lambda: BrCode("A", "B", url="a.test/b", txid="x"), "neither amount nor txid"),
        (lambda: BrCode("", "B", pix_key=EVP), "1 to 25"),
        (lambda: BrCode("A", "", pix_key=EVP), "1 to 15"),
        (lambda: BrCode("A", "B", pix_key=EVP, amount_centavos=0), "0.01"),
        (lambda: BrCode("A", "B", pix_key=EVP, amount_centavos=10**12), "9999999999.99"),
        (lambda: BrCode("A", "B", pix_key=EVP, point_of_initiation="13"), "11 or 12"),
        (lambda: BrCode.dynamic("https://a.test/b", merchant_name="A", city="B"), "https://"),
        (lambda: BrCode.dynamic("a.test", merchant_name="A", city="B"), "a host, / and a path"),
        (lambda: BrCode.dynamic("a.test/" + "b" * 71, merchant_name="A", city="B"), "77"),
        (lambda: BrCode.static(EVP, merchant_name="☕", city="B"), "59"),
        (lambda: BrCode.static(EVP, merchant_name="A", city="☕"), "60"),
        (lambda: BrCode.static(EVP, merchant_name="A", city="B", txid="a-b"), "letters and digits"),
        (lambda: BrCode.static(EVP, merchant_name="A", city="B", txid="x" * 26), "1 to 25"),
        (lambda: BrCode.static(EVP, merchant_name="A", city="B", txid="***"), "letters and digits"),
        (lambda: BrCode("A\n", "B", pix_key=EVP).text, "control characters"),
        (lambda: BrCode("A", "B", pix_key=EVP, description="d" * 38).text, "field 26"),
    ],
)
def test_what_cannot_be_written(make: Callable[[], object], why: str) -> None:
    with pytest.raises(InvalidBrCode, match=why):
        make()


def test_a_description_is_cut_to_the_room_beside_the_key() -> None:
    code = BrCode.static(EVP, merchant_name="A", city="B", description="d" * 80)
    assert code.description == "d" * 37
    assert "2699" in code.text
    full = BrCode.static(LONG_KEY, merchant_name="A", city="B", description="dinheiro")
    assert full.description is None


def field_54(amount: int) -> str:
    text = f"{amount // 100}.{amount % 100:02}"
    return f"{len(text):02}{text}"


def bitwise(data: bytes) -> int:
    """CRC-16/CCITT-FALSE, bit by bit as the catalogue describes it."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
        register &= 0xFFFF
    return register
