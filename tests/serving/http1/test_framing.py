"""The front's own checks of framing, without llhttp beside them: each must hold by itself."""

import pytest

from guarita.facts import Headers
from guarita.serving.http1 import framing
from guarita.serving.http1.chunked import Chunks
from guarita.serving.http1.head import BadHead
from guarita.serving.http1.request_line import read_request_line
from tests.serving.http1.support import cases


@pytest.mark.parametrize(
    "value",
    [b"", b"+5", b"-5", b"5 ", b"5,5", b"0x5", b"05", b"00", b"5_0", b"\xb2", b"5\n", b"1" * 19],
)
def test_lengths(value: bytes) -> None:
    assert framing.length_of(b"0") == 0
    assert framing.length_of(b"9" * 18) == 10**18 - 1
    with pytest.raises(BadHead) as caught:
        framing.length_of(value)
    assert caught.value.status == (413 if len(value) == 19 else 400)


@pytest.mark.parametrize(
    ("value", "minor", "has_length", "status"),
    [
        (b"chunked", 1, True, 400),
        (b"chunked", 0, False, 400),
        (b"", 1, False, 400),
        (b"identity", 1, False, 400),
        (b"chunked, chunked", 1, False, 400),
        (b"chunked, gzip", 1, False, 400),
        (b"gzip,chunked,", 1, False, 400),
        (b"chunked\x0b", 1, False, 400),
        (b"chunked;a=b", 1, False, 400),
        (b"gzip, chunked", 1, False, 501),
    ],
)
def test_codings(value: bytes, minor: int, has_length: bool, status: int) -> None:
    framing.check_codings(b"Chunked", 1, False)
    with pytest.raises(BadHead) as caught:
        framing.check_codings(value, minor, has_length)
    assert caught.value.status == status


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"expect"])
def test_fields_that_must_be_single(name: bytes) -> None:
    framing.check_repeated(Headers([(b"accept", b"a"), (b"accept", b"b"), (name, b"x")]))
    with pytest.raises(BadHead):
        framing.check_repeated(Headers([(name, b"x"), (name, b"x")]))


@pytest.mark.parametrize(
    ("values", "minor", "kept"),
    [
        ([], 1, True),
        ([], 0, False),
        ([b"close"], 1, False),
        ([b"keep-alive"], 0, True),
        ([b"keep-alive, Close"], 0, False),
        ([b"x", b"\tclose "], 1, False),
        ([b"closed"], 1, True),
    ],
)
def test_keeping_alive(values: list[bytes], minor: int, kept: bool) -> None:
    assert framing.keeps_alive(values, minor) is kept


@pytest.mark.parametrize(
    "case",
    [c for c in cases() if c["name"].startswith(("line: ", "target: "))],
    ids=lambda c: c["name"],
)
def test_request_lines(case: dict[str, bytes]) -> None:
    with pytest.raises(BadHead):
        read_request_line(case["bytes"], 8192)


@pytest.mark.parametrize(
    "case",
    [c for c in cases() if c["name"].startswith("chunks: ") and "trailer with" not in c["name"]],
    ids=lambda c: c["name"],
)
def test_chunks(case: dict[str, bytes]) -> None:
    """All but the trailers that llhttp refuses for their names: here they are dropped."""
    body = case["bytes"].partition(b"\r\n\r\n")[2]
    with pytest.raises(BadHead):
        Chunks().take(body, 100_000)
