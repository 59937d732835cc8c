"""What a key demands of certificates, whose address is locked out, and what is believed on the
direct listener: the whole Delfinance gate, over real connections (seed L16-98; DESIGN section 3).
"""

import base64
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from guarita.profiles.delfinance import UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
from guarita.records import KeyStatus
from tests.certificates import Certified, Issuer, self_signed
from tests.serving.tls.calling import (
    ACCOUNT,
    ADDRESS,
    BLOCKED,
    CERTIFICATE,
    NO_KEY,
    PIN,
    RESOURCE,
    UNKNOWN,
    Answer,
    cert_options,
    curl,
    header_options,
    kept,
)
from tests.serving.tls.gates import OWNER, Gate, Key, gate, pin_of
from tests.serving.tls.support import World

STRANGER = "127.0.0.2"
WINDOW_S = 900


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with gate(world, tmp_path_factory.mktemp("keys")) as running:
        yield running


@pytest.fixture
def own(world: World, tmp_path: Path) -> Iterator[Gate]:
    """A gate whose clock the test may move."""
    with gate(world, tmp_path) as running:
        yield running


def asked(
    served: Gate,
    client: Certified | None,
    headers: Sequence[str],
    *options: str,
    path: str = RESOURCE,
) -> list[Answer]:
    """curl's answers; `path` may hold a range."""
    shown = () if client is None else cert_options(served.world.files(client))
    words = (*shown, *header_options(headers), *options)
    return curl(served.port, served.world.ca_file, *words, path=path)


def ask(served: Gate, client: Certified | None, headers: Sequence[str], *options: str) -> Answer:
    (answer,) = asked(served, client, headers, *options)
    return answer


def tries(served: Gate, key: Key, address: str, times: int) -> list[Answer]:
    """Requests from `address` with the key, but without the certificate."""
    path = f"{RESOURCE}?[1-{times}]"
    return asked(served, None, key.headers, "--interface", address, path=path)


# --- the other documented errors ------------------------------------------------------------------


def test_keys_that_are_missing_unknown_and_blocked(served: Gate) -> None:
    client = served.world.root.leaf("client")
    key = served.key(client)
    ask(served, client, ()).is_(NO_KEY)
    ask(served, client, key.headers[1:]).is_(NO_KEY)
    unknown = f"x-delbank-api-key: dk_{'0' * 64}"
    ask(served, client, (unknown, key.headers[1])).is_(UNKNOWN)
    ask(served, None, (unknown,)).is_(UNKNOWN)
    served.change(served.keyring.block, key.key_id, "policy")
    ask(served, client, key.headers).is_(BLOCKED)
    ask(served, None, key.headers).is_(BLOCKED)
    served.change(served.keyring.unblock, key.key_id)
    ask(served, client, key.headers).admitted(key)


def test_account_and_address(served: Gate) -> None:
    client = served.world.root.leaf("client")
    key = served.key(client)
    ask(served, client, key.headers[:1]).is_(ACCOUNT)
    ask(served, client, (key.headers[0], "x-delfinance-account-id: acc_other")).is_(ACCOUNT)
    ask(served, client, key.headers, "--interface", STRANGER).is_(ADDRESS)
    forwarded = (*key.headers, f"X-Forwarded-For: {OWNER}")
    ask(served, client, forwarded, "--interface", STRANGER).is_(ADDRESS)
    ask(served, client, key.headers).admitted(key)


# --- modes and registrations ----------------------------------------------------------------------


def test_mode_valid_takes_any_certificate_of_the_authority(served: Gate) -> None:
    key = served.key(served.world.root.leaf("registered"), mode="valid")
    other = served.world.intermediate.leaf("other")
    assert ask(served, other, key.headers).admitted(key)["certificate"]["subject"] == "CN=other"
    ask(served, None, key.headers).is_(CERTIFICATE)
    ask(served, self_signed("own"), key.headers).is_(CERTIFICATE)


def test_mode_unsafe_off_takes_none_and_any(served: Gate) -> None:
    key = served.key(mode="unsafe_off")
    assert ask(served, None, key.headers).admitted(key)["certificate"] is None
    assert ask(served, self_signed("own"), key.headers).admitted(key)["certificate"] is None
    ask(served, None, key.headers, "--interface", STRANGER).is_(ADDRESS)


def test_a_changed_mode_holds_at_the_next_request_of_a_kept_connection(served: Gate) -> None:
    client = served.world.root.leaf("client")
    key = served.key(served.world.root.leaf("registered"))
    change = served.keyring.set_certificate_mode
    with kept(served.port, served.world.ca_file, served.world.files(client)) as connection:
        connection.get(key.headers).is_(PIN)
        served.change(change, key.key_id, "valid")
        connection.get(key.headers).admitted(key)
        served.change(change, key.key_id, "strict")
        connection.get(key.headers).is_(PIN)


def test_a_key_without_a_registration_admits_no_certificate(served: Gate) -> None:
    key = served.key()
    ask(served, served.world.root.leaf("client"), key.headers).is_(PIN)


def test_rotation(own: Gate) -> None:
    old, new = own.world.root.leaf("old"), own.world.intermediate.leaf("new")
    key = own.key(old)
    until = own.clock() + 600
    with (
        kept(own.port, own.world.ca_file, own.world.files(old)) as before,
        kept(own.port, own.world.ca_file, own.world.files(new)) as after,
    ):
        before.get(key.headers).admitted(key)
        after.get(key.headers).is_(PIN)
        register = own.keyring.register_certificate
        own.change(register, key.key_id, pin_of(new), overlap_until=until)
        before.get(key.headers).admitted(key)
        after.get(key.headers).admitted(key)
        own.clock.at = until - 1
        before.get(key.headers).admitted(key)
        own.clock.at = until
        before.get(key.headers).is_(PIN)
        after.get(key.headers).admitted(key)
    ask(own, old, key.headers).is_(PIN)
    ask(own, new, key.headers).admitted(key)


def test_a_registration_revoked_by_the_operator(served: Gate) -> None:
    client = served.world.root.leaf("client")
    key, pin = served.key(client), pin_of(client)
    with kept(served.port, served.world.ca_file, served.world.files(client)) as connection:
        connection.get(key.headers).admitted(key)
        served.change(served.keyring.revoke_certificate, key.key_id, pin.serial, "lost")
        connection.get(key.headers).is_(PIN)


def test_homologation_demands_neither_certificate_nor_address(world: World, tmp_path: Path) -> None:
    with gate(world, tmp_path, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST) as served:
        key = served.key(allowed=())
        for client in (None, self_signed("own"), world.root.leaf("good")):
            assert ask(served, client, key.headers).admitted(key)["certificate"] is None
        ask(served, None, key.headers, "--interface", STRANGER).admitted(key)
        ask(served, None, key.headers[:1]).is_(ACCOUNT)
        ask(served, None, ("x-delbank-api-key: dk_none", key.headers[1])).is_(UNKNOWN)
        ask(served, None, key.headers[1:]).is_(NO_KEY)
        assert served.chains.verifications == 0


# --- lockout --------------------------------------------------------------------------------------


def test_a_stranger_who_knows_the_key_locks_out_himself_only(own: Gate) -> None:
    client = own.world.root.leaf("owner")
    key = own.key(client)
    with kept(own.port, own.world.ca_file, own.world.files(client)) as connection:
        connection.get(key.headers).admitted(key)
        answers = tries(own, key, STRANGER, 14)
        for answer in answers[:10]:
            answer.is_(CERTIFICATE)
        for answer in answers[10:]:
            answer.is_(BLOCKED)
            assert own.entry(answer.ray).reason == "lockout.address_blocked"
        for number in range(3, 9):  # from wherever else he may come
            tries(own, key, f"127.0.0.{number}", 11)[10].is_(BLOCKED)
        connection.get(key.headers).admitted(key)
        ask(own, client, key.headers).admitted(key)
        assert own.keyring.key(key.key_id).status is KeyStatus.ACTIVE
        own.clock.at = (own.clock() // WINDOW_S + 1) * WINDOW_S
        ask(own, None, key.headers, "--interface", STRANGER).is_(CERTIFICATE)


def test_a_key_is_blocked_over_several_addresses_of_its_own_list(own: Gate) -> None:
    client = own.world.root.leaf("owner")
    listed = (OWNER, "127.0.0.3", "127.0.0.4", "127.0.0.5")
    key = own.key(client, allowed=listed)
    for address in listed[1:]:
        ask(own, client, key.headers).admitted(key)
        for answer in tries(own, key, address, 10):
            answer.is_(CERTIFICATE)
    refused = ask(own, client, key.headers)
    refused.is_(BLOCKED)
    assert own.entry(refused.ray).reason == "api_key_header.blocked"
    own.clock.at += 3 * WINDOW_S
    ask(own, client, key.headers).is_(BLOCKED)  # until an operator unblocks it
    own.change(own.keyring.unblock, key.key_id)
    ask(own, client, key.headers).admitted(key)


# --- what is believed -----------------------------------------------------------------------------


def _spoofed(client: Certified) -> dict[str, str]:
    """Every usual way in which an edge would pass a certificate on."""
    pem = client.pem().decode()
    der = base64.b64encode(client.der).decode()
    return {
        "Client-Cert": f":{der}:",
        "X-Forwarded-Client-Cert": f'Cert="{quote(pem, safe="")}"',
        "X-Forwarded-Tls-Client-Cert": quote(der, safe=""),
        "X-SSL-Client-Cert": quote(pem, safe=""),
        "SSL-Client-Cert": quote(pem, safe=""),
        "X-SSL-Client-Der": der,
        "X-SSL-Client-Verify": "SUCCESS",
        "X-Client-Cert": der,
        "X-Amzn-Mtls-Clientcert": quote(pem, safe=""),
        "Cf-Client-Cert-Der-Base64": der,
        "X_Forwarded_Client_Cert": f'Cert="{quote(pem, safe="")}"',
        "SSL_CLIENT_CERT": quote(pem, safe=""),
    }


NAMES = tuple(_spoofed(self_signed("names")))


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_header_from_outside_is_never_believed(served: Gate, name: str) -> None:
    good = served.world.root.leaf("registered")
    key = served.key(good)
    headers = (*key.headers, f"{name}: {_spoofed(good)[name]}")
    ask(served, None, headers).is_(CERTIFICATE)
    ask(served, Issuer.root("Other").leaf("registered"), headers).is_(CERTIFICATE)
    ask(served, served.world.root.leaf("other pin"), headers).is_(PIN)


def test_no_certificate_header_from_outside_reaches_the_application(served: Gate) -> None:
    client = served.world.root.leaf("mine")
    key = served.key(client)
    others = [f"{name}: {value}" for name, value in _spoofed(served.world.root.leaf("x")).items()]
    identity = ask(served, client, (*key.headers, *others)).admitted(key)
    assert identity["certificate"]["subject"] == "CN=mine"
    scope = served.reached[-1]
    names = {name.decode().lower().replace("_", "-") for name, _ in scope["headers"]}
    assert not names & {name.lower().replace("_", "-") for name in NAMES}
    shown = scope["extensions"]["tls"]["client_cert_chain"][0]
    assert ssl.PEM_cert_to_DER_cert(shown) == client.der
