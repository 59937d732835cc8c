"""`guarita sign`: the seed's own example (L154-165), both forms, and the usual mistakes."""

import hmac
import json

import pytest

from tests.cli.conftest import Runner

SECRET = "sk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01"
BODY = b'{"amount":3000,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
V1 = (  # fact sheet section 4.5
    "f58fb7746062cb0016a6505273ab8a320fcd1f90276028ce265e43d33ea7f143"
    "0ea994a811b0e24d8368c6d9d936252858b2fbde026aef2b65d51e9f4f0ad9de"
)
SIGN = ("sign", "--secret-env", "CLIENT_SECRET")


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", SECRET)


def expected(message: bytes, secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), message, "sha512").hex()


def test_exactly_the_bytes_read_are_signed(run: Runner) -> None:
    result = run(*SIGN, stdin=BODY)
    assert (result.status, result.out, result.err) == (0, V1 + "\n", "")
    unsorted = b'{"b": 1, "a":\t2.50}'
    assert run(*SIGN, stdin=unsorted).out == expected(unsorted) + "\n"
    assert (
        run(
            *SIGN,
            stdin=BODY,
        ).out
        == run(*SIGN, "--canonical", stdin=BODY).out
    )


def test_the_canonical_text_is_signed(run: Runner) -> None:
    body = json.dumps(json.loads(BODY), indent=2).encode()
    result = run(*SIGN, "--canonical", "--json", stdin=body)
    assert result.json == {"hmac": V1, "form": "canonical", "signed_bytes": len(BODY)}
    assert result.err == ""


def test_a_newline_at_the_end_is_signed_and_pointed_out(run: Runner) -> None:
    result = run(*SIGN, stdin=BODY + b"\n")
    assert (result.status, result.out) == (0, expected(BODY + b"\n") + "\n")
    assert "newline" in result.err
    assert run(*SIGN, "--canonical", stdin=BODY + b"\n").out == V1 + "\n"


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":2}', b'{"a":NaN}', b"{'a':1}", b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_what_the_gate_will_refuse_is_pointed_out(run: Runner, body: bytes) -> None:
    raw = run(*SIGN, stdin=body)
    assert (raw.status, raw.out) == (0, expected(body) + "\n")
    assert "not strict JSON" in raw.err
    canonical = run(*SIGN, "--canonical", stdin=body)
    assert (canonical.status, canonical.out) == (1, "")
    assert "not strict JSON" in canonical.err


def test_an_empty_body_is_pointed_out(run: Runner) -> None:
    result = run(*SIGN)
    assert (result.status, result.out) == (0, expected(b"") + "\n")
    assert "empty" in result.err


def test_the_secret_comes_from_the_named_variable(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run("sign", "--secret-env", "NO_SUCH_VARIABLE", stdin=BODY)
    assert (missing.status, missing.out) == (2, "")
    assert "NO_SUCH_VARIABLE is not set" in missing.err
    monkeypatch.setenv("OTHER", SECRET.removeprefix("sk_") + "\n")
    other = run("sign", "--secret-env", "OTHER", stdin=BODY)
    assert other.out == expected(BODY, SECRET.removeprefix("sk_") + "\n") + "\n"
    assert "newline" in other.err
    assert '"sk_"' in other.err


def test_a_secret_in_place_of_a_variable_is_not_repeated(run: Runner) -> None:
    result = run("sign", "--secret-env", SECRET, stdin=BODY)
    assert (result.status, result.out) == (2, "")
    assert "name of an environment variable" in result.err
    assert SECRET[3:] not in result.err
