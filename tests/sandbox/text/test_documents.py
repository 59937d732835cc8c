"""CPF and CNPJ: published numbers, the law of the check digits, and what they catch."""

from string import ascii_uppercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarita.sandbox.text import documents

CPF_BODIES = st.text(digits, min_size=9, max_size=9)
CNPJ_BODIES = st.text(digits + ascii_uppercase, min_size=12, max_size=12)
NUMERIC_CNPJ_BODIES = st.text(digits, min_size=12, max_size=12)


@pytest.mark.parametrize(
    ("written", "digits_only"),
    [
        ("529.982.247-25", "52998224725"),  # fact sheet §6.13
        ("52998224725", "52998224725"),
        ("123.456.789-09", "12345678909"),
        ("000.000.001-91", "00000000191"),  # the smallest
        ("529982247-25", "52998224725"),
    ],
)
def test_cpf(written: str, digits_only: str) -> None:
    assert documents.read_cpf(written) == digits_only
    assert documents.has_cpf_check_digits(digits_only)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345678901",  # the seed's example key, L153
        "529.982.247-24",
        "5299822472",
        "529982247250",
        "529-982-247.25",
        "529.982.247-25 ",
        "529.982.247-25\n",
        "5２998224725",  # a full-width digit
        "٥٢٩٩٨٢٢٤٧٢٥",
        *(digit * 11 for digit in digits),  # their check digits hold, and none is a CPF
    ],
)
def test_no_cpf(text: str) -> None:
    assert documents.read_cpf(text) is None


@pytest.mark.parametrize(
    ("written", "characters"),
    [
        ("12.ABC.345/01DE-35", "12ABC34501DE35"),  # IN RFB 2.229/2024, the published example
        ("12.abc.345/01de-35", "12ABC34501DE35"),
        ("00.000.000/0001-91", "00000000000191"),  # Banco do Brasil
        ("33.000.167/0001-01", "33000167000101"),  # Petrobras
        ("00360305000104", "00360305000104"),  # Caixa
    ],
)
def test_cnpj(written: str, characters: str) -> None:
    assert documents.read_cnpj(written) == characters
    assert documents.has_cnpj_check_digits(characters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12.ABC.345/01DE-34",
        "12ABC34501DEA5",
        "12ABC34501DE3",
        "12ABC34501DE355",
        "12.ABÇ.345/01DE-35",
        "12.ABC.345-01DE/35",
        "00000000000000",
        "00.000.000/0001-91\n",
        "ſ2ABC34501DE35",  # upper-cases to an ASCII S
    ],
)
def test_no_cnpj(text: str) -> None:
    assert documents.read_cnpj(text) is None


def modulo_11(body: str, weights: list[int]) -> int:
    """The rule as the regulation words it: a remainder of 0 or 1 gives 0, else 11 less it."""
    rest = sum("0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(c) * w
               for c, w in zip(body, weights, strict=True)) % 11  # fmt: skip
    return 0 if rest < 2 else 11 - rest


@given(body=CPF_BODIES)
def test_the_law_of_the_cpf(body: str) -> None:
    first = modulo_11(body, [10, 9, 8, 7, 6, 5, 4, 3, 2])
    second = modulo_11(f"{body}{first}", [11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
    assert documents.cpf_check_digits(body) == f"{first}{second}"


@given(body=CNPJ_BODIES | NUMERIC_CNPJ_BODIES)
def test_the_law_of_the_cnpj(body: str) -> None:
    first = modulo_11(body, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
    second = modulo_11(f"{body}{first}", [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
    assert documents.cnpj_check_digits(body) == f"{first}{second}"


@given(body=CPF_BODIES)
def test_one_pair_of_check_digits_makes_a_cpf(body: str) -> None:
    valid = [n for n in range(100) if documents.has_cpf_check_digits(f"{body}{n:02}")]
    assert len(valid) == (0 if f"{body}{documents.cpf_check_digits(body)}" in ALL_EQUAL else 1)


ALL_EQUAL = {digit * 11 for digit in digits}


def changes(text: str, alphabet: str = digits) -> list[tuple[int, str]]:
    """Every text that differs in one character, with the place it differs in."""
    return [
        (place, text[:place] + other + text[place + 1 :])
        for place, own in enumerate(text)
        for other in (alphabet if place < len(text) - 2 else digits)
        if other != own
    ]


@given(body=CPF_BODIES)
def test_a_wrong_digit_of_a_cpf_is_caught(body: str) -> None:
    """Every one is, unless the first check digit is 0: remainders 0 and 1 share it."""
    cpf = body + documents.cpf_check_digits(body)
    missed = [changed for place, changed in changes(cpf) if documents.has_cpf_check_digits(changed)]
    assert cpf[9] == "0" or missed == []


def test_what_a_cpf_does_not_catch() -> None:
    """The first digit has weight 11 in the second check digit, which is none at all."""
    assert documents.has_cpf_check_digits("10000000108")
    assert documents.has_cpf_check_digits("20000000108")


@given(body=NUMERIC_CNPJ_BODIES)
def test_a_wrong_digit_of_a_cnpj_is_caught(body: str) -> None:
    cnpj = body + documents.cnpj_check_digits(body)
    missed = [text for _, text in changes(cnpj) if documents.has_cnpj_check_digits(text)]
    assert cnpj[12] == "0" or missed == []


@given(body=CNPJ_BODIES)
def test_a_wrong_character_of_a_cnpj_is_caught(body: str) -> None:
    """Every one is, unless 11 or a multiple of it lies between the two (A and L, 6 and A)."""
    cnpj = body + documents.cnpj_check_digits(body)
    for place, text in changes(cnpj, digits + ascii_uppercase):
        if documents.has_cnpj_check_digits(text):
            assert cnpj[12] == "0" or (ord(text[place]) - ord(cnpj[place])) % 11 == 0


@given(body=CPF_BODIES)
def test_a_cpf_is_read_as_it_is_written(body: str) -> None:
    cpf = body + documents.cpf_check_digits(body)
    written = documents.format_cpf(cpf)
    assert (len(written), written[3], written[7], written[11]) == (14, ".", ".", "-")
    assert documents.read_cpf(written) == documents.read_cpf(cpf)
    assert documents.read_cpf(cpf) == (None if cpf in ALL_EQUAL else cpf)


@given(body=CNPJ_BODIES)
def test_a_cnpj_is_read_as_it_is_written(body: str) -> None:
    cnpj = body + documents.cnpj_check_digits(body)
    written = documents.format_cnpj(cnpj)
    assert [written[place] for place in (2, 6, 10, 15)] == [".", ".", "/", "-"]
    expected = None if cnpj == "0" * 14 else cnpj
    assert documents.read_cnpj(written) == documents.read_cnpj(cnpj) == expected
    assert documents.read_cnpj(written.lower()) == expected


@given(text=st.text() | st.text("0123456789.-/ABC", max_size=20))
def test_any_text_is_a_document_or_none(text: str) -> None:
    cpf, cnpj = documents.read_cpf(text), documents.read_cnpj(text)
    assert cpf is None or (len(cpf) == 11 and cpf.isascii() and cpf.isdigit())
    assert cnpj is None or (len(cnpj) == 14 and cnpj.isascii() and cnpj.isalnum())


@pytest.mark.parametrize("body", ["", "12345678", "1234567890", "12345678x", "１23456789"])
def test_no_check_digits_for_another_shape(body: str) -> None:
    for function in (documents.cpf_check_digits, documents.cnpj_check_digits):
        with pytest.raises(ValueError, match="before its check digits"):
            function(body)


@pytest.mark.parametrize("text", ["", "529.982.247-25", "5299822472", "5299822472x"])
def test_only_plain_characters_are_formatted(text: str) -> None:
    with pytest.raises(ValueError, match="has 11 digits"):
        documents.format_cpf(text)
    with pytest.raises(ValueError, match="has 12 digits or capital letters"):
        documents.format_cnpj(text)
