"""Handshakes that go wrong end their own connection: the alert goes out, nothing is logged as an
error, and the next client is served. Handshakes that are merely odd succeed.
"""

import datetime as dt
import json
import random
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from guarita.serving.tls_scope import TLSScopeProtocol
from tests.certificates import Key, new_key, self_signed
from tests.serving.tls.by_hand import CERTIFICATE, CERTIFICATE_VERIFY, ByHand, rewriting
from tests.serving.tls.support import (
    LOOPS,
    Served,
    World,
    chain_of,
    get,
    pems,
    read_to_end,
    said_by,
    serving,
    tell,
)


@pytest.fixture(autouse=True)
def _next_client_is_served(served: Served) -> Iterator[None]:
    yield
    assert served.scope()["scheme"] == "https"


def _garbled(message: bytearray) -> None:
    """Every byte of the certificates, their lengths left alone."""
    message[10:] = bytes(len(message) - 10)


def _last_bit(message: bytearray) -> None:
    message[-1] ^= 1


def _list_length(message: bytearray) -> None:
    message[4:7] = b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("kind", "change", "alert"),
    [
        (CERTIFICATE, _garbled, "decode error|bad certificate|unspecified|asn1|internal"),
        (CERTIFICATE, _list_length, "decode error"),
        (CERTIFICATE_VERIFY, _last_bit, "decrypt error"),
    ],
    ids=["junk for a certificate", "wrong length of the chain", "forged proof of the key"],
)
def test_a_broken_certificate_message_ends_its_connection(
    served: Served, kind: int, change: Callable[[bytearray], None], alert: str
) -> None:
    client = served.world.intermediate.leaf("broken")
    rewrite = rewriting(kind, change)
    with served.tcp() as connection:
        by_hand = ByHand(connection, served.world.client_context(client, "1.2"), rewrite=rewrite)
        with pytest.raises(ssl.SSLError, match=f"(?i)alert ({alert})"):
            by_hand.handshake()
    assert rewrite.changed == 1  # type: ignore[attr-defined]


def test_forged_proof_of_the_key_under_tls_1_3(served: Served) -> None:
    """The client's key file names the certificate's public key beside another private one."""
    client = served.world.root.leaf("impostor")
    files = served.world.files(client)
    der = _pkcs8(client.key).replace(_secret(client.key), _secret(new_key()))
    files.key_file.write_text(ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", "PRIVATE KEY"))
    with served.tls(files, "1.3") as connection:
        connection.sendall(get())
        # Under TLS 1.3 the client learns of it after its own handshake.
        with pytest.raises(ssl.SSLError, match=r"(?i)decrypt error"):
            connection.recv(1)


def _pkcs8(key: Key) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _secret(key: Key) -> bytes:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes(32, "big")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_protocol_versions_are_refused(served: Served, version: str) -> None:
    done = served.s_client(get(close=True), version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert b"alert protocol version" in done.stderr


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL"])
def test_weak_cipher_suites_are_refused(served: Served, cipher: str) -> None:
    """Without forward secrecy, without authenticated encryption, without encryption."""
    done = served.s_client(get(close=True), "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert done.returncode != 0
    assert b"alert handshake failure" in done.stderr


def test_plain_http_gets_an_answer_that_says_so(served: Served) -> None:
    done = served.curl("/scope", "--include", scheme="http")
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert body == b"This port speaks TLS: call it with https://.\n"


def _junk(seed: int, length: int) -> bytes:
    return random.Random(seed).randbytes(length)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00",
        b"\n" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n",
        b"\x16\x03\x01\x00\x00" * 50,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x00" * 50,
        b"\x17\x03\x03\x00\x10" + b"\x00" * 16,
        b"\x15\x03\x03\x00\x02\x02\x28",
        _junk(1, 100),
        _junk(2, 1_000_000),
        b"\x16\x03\x01" + _junk(3, 1_000_000),
    ],
    ids=lambda junk: f"{junk[:6].hex()}-{len(junk)}",
)
def test_junk_ends_its_connection(served: Served, junk: bytes) -> None:
    with served.tcp() as connection:
        try:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed before all of it was sent
        # At most an alert: type 21, a version, length 2.
        answer = read_to_end(connection)
    assert answer == b"" or (answer[:1] == b"\x15" and len(answer) == 7)


def test_junk_after_the_handshake_ends_its_connection(served: Served) -> None:
    with served.tls() as connection:
        raw = socket.socket(fileno=connection.detach())
    with raw:
        raw.settimeout(15)
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert len(read_to_end(raw)) < 1_000


@pytest.mark.parametrize("loop", LOOPS)
def test_a_slow_handshake_is_ended(world: World, loop: str) -> None:
    """A client that says nothing, half a greeting, or a greeting and nothing more."""
    hello = _client_hello(world)
    with serving(world, loop, handshake_timeout_s=0.3) as served:
        connections = []
        for begun in (b"", hello[:20], hello):
            connection = served.tcp()
            connection.sendall(begun)
            connections.append(connection)
        answers = [read_to_end(connection) for connection in connections]
        for connection in connections:
            connection.close()
        assert answers[:2] == [b"", b""]
        assert answers[2][:1] == b"\x16"  # its own greeting, then the end
        # Whoever is through is not limited by it.
        assert served.scope()["scheme"] == "https"


@pytest.mark.parametrize("loop", LOOPS)
def test_silence_after_the_handshake_is_ended(
    world: World, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has gone without a word looks the same as one that says nothing."""
    monkeypatch.setattr(TLSScopeProtocol, "first_request_timeout_s", 0.3)
    with serving(world, loop) as served, served.tls() as silent, served.tls() as speaking:
        speaking.sendall(get()[:5])
        assert read_to_end(silent) == b""
        # The other one is past its silence, and the limit does not count for it.
        speaking.sendall(get()[5:])
        assert speaking.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_failed_handshake_is_ended_though_the_client_waits(world: World, loop: str) -> None:
    """It has had its alert and keeps the connection open, silently."""
    with serving(world, loop, handshake_timeout_s=0.3) as served, served.tcp() as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05hello")
        assert read_to_end(connection)[:1] == b"\x15"


def _client_hello(world: World) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = world.client_context().wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("end", ["close", "reset", "half"])
@pytest.mark.parametrize("sent", [0, 1, 30, None], ids=["nothing", "one", "some", "all"])
def test_clients_that_leave_during_the_handshake(
    served: Served, sent: int | None, end: str
) -> None:
    connection = served.tcp()
    connection.sendall(_client_hello(served.world)[:sent])
    if end == "reset":
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    elif end == "half":
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)
    connection.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["good", "self-signed", "expired", "forged"])
def test_a_handshake_byte_by_byte(served: Served, name: str, version: str) -> None:
    """OpenSSL notes what it found wrong with a chain; that must not look like a failure while the
    rest of the handshake is still on its way."""
    world = served.world
    client = {
        "good": lambda: world.intermediate.leaf("slow"),
        "self-signed": lambda: self_signed("slow"),
        "expired": lambda: world.root.leaf(
            "slow", not_after=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        ),
        "forged": lambda: world.intermediate.leaf("slow"),
    }[name]()
    files = world.files(client)
    sent = client.der_chain
    if name == "forged":
        sent = (client.der, client.der_chain[1][:-1] + bytes([client.der_chain[1][-1] ^ 1]))
        files.chain_file.write_text(pems(sent))
    with served.tcp() as connection:
        by_hand = ByHand(connection, world.client_context(files, version), piece=1)
        by_hand.handshake()
        by_hand.send(get(close=True))
        answer = b""
        while data := by_hand.receive():
            answer += data
    assert chain_of(json.loads(answer.partition(b"\r\n\r\n")[2])) == sent


def test_renegotiation_is_refused(served: Served) -> None:
    """It would let a client ask for handshake after handshake on one connection."""
    with served.s_client_commands("-tls1_2") as client:
        said_by(client, b"Verify return code")
        tell(client, b"R\n")
        said_by(client, b"RENEGOTIATING")
        said_by(client, b"no renegotiation")
        assert client.wait(15) != 0


def test_keys_are_renewed(served: Served) -> None:
    """TLS 1.3's KeyUpdate, with the request for the server to renew its own (RFC 8446, 4.6.3)."""
    with served.s_client_commands("-tls1_3") as client:
        said_by(client, b"Verify return code")
        for _ in range(3):
            tell(client, b"K\n")
            said_by(client, b"KEYUPDATE")
            tell(client, get())
            said_by(client, b"HTTP/1.1 200 OK")
