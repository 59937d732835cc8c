"""A client_secret is seen once, by whoever calls `reveal`, and is found nowhere else."""

import copy
import json
import logging
import pickle
import secrets
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from pprint import pformat

import msgspec
import pytest

from guarita.asks import Outage
from guarita.data_folder import DataFolder
from guarita.keyring import IssuedKey, Keyring, KeyringError, Secret, Verifier
from guarita.keyring.kinds import PAIR, SINGLE, Kind
from guarita.records import ApiKey
from guarita.stores.memory_keyring import MemoryKeyring
from tests.keyring.helpers import PEPPER, asks

HEX = "5ec2e7" * 11
TEXT = "sk_" + HEX


@pytest.fixture
def known_secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every new secret is TEXT."""
    real = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda n: HEX if n == 33 else real(n))
    yield
    monkeypatch.undo()
    assert secrets.token_hex(33) != HEX


SHOWN: dict[str, Callable[[object], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda o: f"{o}",
    "format repr": lambda o: f"{o!r:>200}",
    "percent": lambda o: "%s %r" % (o, o),  # noqa: UP031
    "list": lambda o: str([o, {"a": o}]),
    "pprint": pformat,
    "json default": lambda o: json.dumps({"a": o}, default=str),
    "error": lambda o: repr(ValueError(o)),
    "dir": lambda o: [getattr(o, name, None) for name in dir(o) if name.startswith("__")],
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
@pytest.mark.usefixtures("known_secret")
def test_a_secret_is_not_shown(show: Callable[[object], object]) -> None:
    ring = Keyring(MemoryKeyring(), PEPPER)
    issued = ring.create_key(ring.create_account("Loja").account_id)
    assert issued.secret.reveal() == TEXT
    for hidden in (issued, issued.secret):
        assert HEX not in str(show(hidden))
    assert HEX not in str(asdict(issued))
    assert copy.deepcopy(issued).secret.reveal() == copy.copy(issued.secret).reveal() == TEXT


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_serialised(protocol: int) -> None:
    ring = Keyring(MemoryKeyring(), PEPPER)
    issued = ring.create_key(ring.create_account("Loja").account_id)
    for hidden in (issued, issued.secret):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(hidden, protocol)
        with pytest.raises(TypeError):
            msgspec.json.encode(hidden)
        with pytest.raises(TypeError):
            json.dumps(hidden)


@pytest.mark.parametrize(("kind", "prefix", "count"), [(PAIR, "sk_", 33), (SINGLE, "dk_", 32)])
def test_secrets_are_long_random_and_distinct(kind: Kind, prefix: str, count: int) -> None:
    made = {Secret.generate(kind).reveal() for _ in range(50)}
    assert len(made) == 50
    assert {len(bytes.fromhex(s.removeprefix(prefix))) for s in made} == {count}


class Broken(MemoryKeyring):
    """Fails when it should keep a key."""

    def insert_key(self, key: ApiKey) -> ApiKey:
        raise Outage("disk full")

    def update_key(self, client_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        super().update_key(client_id, change)
        raise Outage("disk full")


@pytest.mark.usefixtures("known_secret")
def test_a_traceback_with_local_variables_does_not_show_it() -> None:
    ring = Keyring(Broken(), PEPPER)
    account_id = ring.create_account("Loja").account_id
    with pytest.raises(Outage) as raised:
        ring.create_key(account_id)
    trace = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    shown = "".join(trace.format())
    assert "Secret(***)" in shown  # local variables are there
    assert HEX not in shown
    assert PEPPER.hex() not in shown
    assert repr(PEPPER) not in shown


@pytest.mark.usefixtures("known_secret")
def test_neither_logs_nor_files_hold_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with DataFolder(tmp_path / "data", environ={}) as folder:
        issued = folder.keyring.create_key(folder.keyring.create_account("Loja").account_id)
        verifier = Verifier(folder.repository, folder.pepper)
        assert verifier.answer(asks(issued)).key == issued.key
        folder.keyring.rotate(issued.key.client_id)
        verifier.refresh()
    verifier.refresh()  # fails: closed
    assert "the keyring cannot be read" in caplog.text
    assert HEX not in caplog.text + "".join(capfd.readouterr())
    files = [f for f in (tmp_path / "data").rglob("*") if f.is_file()]
    assert {"guarita.db", "pepper"} <= {f.name for f in files}
    for file in files:
        content = file.read_bytes()
        assert HEX.encode() not in content
        assert bytes.fromhex(HEX) not in content


def delfinance(ring: Keyring, issued: IssuedKey) -> str:
    return ring.create_key(issued.key.account.account_id, profile="delfinance").key.client_id


MISPLACED: dict[str, Callable[[Keyring, IssuedKey, str], object]] = {
    "client_id": lambda r, _, s: r.revoke(s),
    "pair": lambda r, i, s: r.key(f"{i.key.client_id}:{s}"),
    "account_id": lambda r, _, s: r.account(s),
    "name": lambda r, _, s: r.create_account(s),
    "reason": lambda r, i, s: r.block(i.key.client_id, f"vazou: {s}"),
    "permission": lambda r, i, s: r.grant(i.key.client_id, s),
    "address": lambda r, i, s: r.allow_address(i.key.client_id, s),
    "disallowed": lambda r, i, s: r.disallow_address(i.key.client_id, s),
    "profile": lambda r, i, s: r.create_key(i.key.account.account_id, profile=s),
    "label": lambda r, i, s: r.create_key(i.key.account.account_id, label=s),
    "mode": lambda r, i, s: r.set_certificate_mode(delfinance(r, i), s),
    "certificate": lambda r, i, s: r.retire_certificate(delfinance(r, i), s),
    "revoked": lambda r, i, s: r.revoke_certificate(delfinance(r, i), "01", f"vazou {s}"),
}


@pytest.mark.parametrize("prefix", ["sk_", "dk_"])
@pytest.mark.parametrize("act", MISPLACED.values(), ids=MISPLACED)
@pytest.mark.usefixtures("known_secret")
def test_a_secret_pasted_into_the_wrong_place_is_not_repeated(
    act: Callable[[Keyring, IssuedKey, str], object], prefix: str
) -> None:
    ring = Keyring(MemoryKeyring(), PEPPER)
    issued = ring.create_key(ring.create_account("Loja").account_id)
    with pytest.raises(KeyringError) as raised:
        act(ring, issued, prefix + HEX)
    shown = "".join(traceback.format_exception_only(raised.value))
    assert HEX[:12] not in shown
    assert HEX[:12] not in repr(ring.keys()) + repr(ring.accounts())
