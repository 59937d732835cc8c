"""The server's certificate: read again when its files change, without a restart; and what is said
of files that cannot be used.
"""

import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from guarita.serving.tls import BadServerCertificate, client_certificate_context
from tests.certificates import Certified, Files, new_key, self_signed, shared_key
from tests.serving.tls.support import LOOPS, Served, World, ask_scope, serving


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A world whose server certificate a test may replace."""
    return World(tmp_path)


def shown(served: Served) -> bytes:
    """The server certificate a new connection gets, checked against the root as clients do."""
    context = ssl.create_default_context(cafile=str(served.world.ca_file))
    with served.tls(context=context) as connection:
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def _in_place(files: Files, new: Certified) -> None:
    files.key_file.write_bytes(new.key_pem())
    files.chain_file.write_bytes(new.pem(chain=True))


def _renamed(files: Files, new: Certified) -> None:
    """As certbot and cert-manager do it."""
    for file, content in ((files.chain_file, new.pem(chain=True)), (files.key_file, new.key_pem())):
        beside = file.with_suffix(".new")
        beside.write_bytes(content)
        beside.replace(file)


@pytest.mark.parametrize("replace", [_in_place, _renamed])
@pytest.mark.parametrize("loop", LOOPS)
def test_new_connections_get_the_new_certificate(
    own: World, loop: str, replace: Callable[[Files, Certified], None]
) -> None:
    with serving(own, loop) as served:
        old_connection = served.http()
        ask_scope(old_connection)
        for kind in ("ec-p256", "rsa-2048", "ed25519"):
            new = own.intermediate.server(key=shared_key(kind))
            replace(own.server, new)
            # The very next connection, so within a second in any case; with its intermediate, or
            # the client would not trust it.
            assert shown(served) == new.der
        assert ask_scope(old_connection)["scheme"] == "https"
        old_connection.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_half_a_renewal_leaves_the_former_certificate(
    own: World, loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(own, loop) as served:
        old, new = shown(served), own.root.server()
        own.server.chain_file.write_bytes(new.pem())
        with caplog.at_level(logging.INFO, "guarita"):
            assert shown(served) == old
            assert shown(served) == old
        # Said once, not for every connection.
        warnings = [one.getMessage() for one in caplog.records if one.name == "guarita.serving"]
        assert len(warnings) == 1
        assert str(own.server.key_file) in warnings[0]
        own.server.key_file.write_bytes(new.key_pem())
        assert shown(served) == new.der


@pytest.mark.parametrize("damage", ["emptied", "cut", "removed", "a directory"])
def test_a_damaged_file_leaves_the_former_certificate(own: World, damage: str) -> None:
    with serving(own, "uvloop") as served:
        old = shown(served)
        file = own.server.chain_file
        pem = file.read_bytes()
        if damage == "emptied":
            file.write_bytes(b"")
        elif damage == "cut":
            file.write_bytes(pem[: len(pem) // 2])
        else:
            file.unlink()
            if damage == "a directory":
                file.mkdir()
        assert shown(served) == old
        if damage == "a directory":
            file.rmdir()
        new = own.root.server()
        _in_place(own.server, new)
        assert shown(served) == new.der


def _bad(world: World, name: str) -> tuple[Path, Path, bytes | None, str]:
    """Files that cannot be used: certificate, key, password, what the error says besides the
    file's name."""
    chain, key = world.server.chain_file, world.server.key_file
    other = world.folder / "other.pem"
    server = world.root.server()
    encrypted = server.write(world.folder, "encrypted")
    encrypted.key_file.write_bytes(server.key_pem(b"right-password"))
    if name == "no such certificate":
        return world.folder / "absent.pem", key, None, "absent.pem cannot be read: No such file"
    if name == "no such key":
        return chain, world.folder / "absent.pem", None, "absent.pem cannot be read: No such file"
    if name == "a key for a certificate":
        return key, key, None, f"{key} holds no PEM certificate"
    if name == "a certificate for a key":
        return chain, chain, None, f"{chain} holds no PEM private key"
    if name == "cut certificate":
        other.write_bytes(chain.read_bytes()[:300])
        return other, key, None, f"{other} holds no PEM certificate, or a damaged one"
    if name == "cut key":
        other.write_bytes(key.read_bytes()[:100])
        return chain, other, None, f"{other} holds no PEM private key, or a damaged one"
    if name == "another key":
        return chain, self_signed("other").write(world.folder).key_file, None, "is not the key of"
    if name == "a password is missing":
        return (*encrypted[1:], None, "is encrypted, and no password was given")
    if name == "a wrong password":
        return (*encrypted[1:], b"wrong-password", "or the password is wrong")
    assert name == "a needless password"
    return chain, key, b"needless-password", f"{key} has no password"


BAD = [
    "no such certificate",
    "no such key",
    "a key for a certificate",
    "a certificate for a key",
    "cut certificate",
    "cut key",
    "another key",
    "a password is missing",
    "a wrong password",
    "a needless password",
]


@pytest.mark.parametrize("name", BAD)
def test_the_error_names_the_file_and_the_fault(own: World, name: str) -> None:
    certificate, key, password, says = _bad(own, name)
    with pytest.raises(BadServerCertificate) as caught:
        client_certificate_context(certificate, key, password=password)
    told = str(caught.value)
    while (cause := caught.value.__cause__) is not None and cause is not caught.value:
        told += repr(cause)
        break
    assert says in str(caught.value)
    assert "-password" not in told
    for line in own.server.key_file.read_text().splitlines()[1:-1]:
        assert line not in told


def test_an_encrypted_key_is_used(own: World) -> None:
    own.server.key_file.write_bytes(own.server_certified.key_pem(b"secret"))
    with serving(own, "uvloop", password=b"secret") as served:
        assert shown(served) == own.server_certified.der


def test_an_expired_certificate_is_served_and_warned_of(
    own: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "guarita"):
        client_certificate_context(own.server.chain_file, own.server.key_file, clock=lambda: 4e9)
    assert "has expired" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [{"minimum": "TLSv1.1"}, {"handshake_timeout_s": 0.0}, {"shutdown_timeout_s": -1.0}],
)
def test_settings_that_cannot_be_meant(own: World, settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"minimum|time limit"):
        client_certificate_context(
            own.server.chain_file,
            own.server.key_file,
            **settings,  # type: ignore[arg-type]
        )


def test_tls_1_3_can_be_demanded(own: World) -> None:
    with serving(own, "uvloop", minimum="TLSv1.3") as served:
        assert served.scope(None, "1.3")["tls"]["tls_version"] == 0x0304
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
            served.tls(None, "1.2")


def test_the_context_is_a_servers(own: World) -> None:
    context = client_certificate_context(own.server.chain_file, own.server.key_file)
    with pytest.raises(ValueError, match="server"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=False)
    with pytest.raises(NotImplementedError):
        context.wrap_socket(None)
    with pytest.raises(NotImplementedError):
        context.load_cert_chain(own.server.chain_file)
    assert os.fspath(own.server.chain_file) in repr(context)


def test_an_unusual_key_is_named(own: World) -> None:
    """TLS cannot sign with every key that X.509 can carry."""
    files = own.root.server(key=new_key("rsa-1024")).write(own.folder, "weak")
    with pytest.raises(BadServerCertificate, match="one that TLS does not allow"):
        client_certificate_context(files.chain_file, files.key_file)
