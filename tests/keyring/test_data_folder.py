"""The data folder: what it makes, what it refuses to use."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guarita.asks import Outage
from guarita.data_folder import DataFolder, DataFolderError
from guarita.keyring import BadValue, Verifier
from tests.keyring.helpers import NOW, PERMISSIONS, Clock, asks

HEX = "ab" * 32


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "guarita-data"


def test_a_folder_is_made_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        with DataFolder(path, environ={}) as folder:
            folder.keyring.create_account("Loja")
            modes = {f.name: mode(f) for f in path.iterdir() if f.is_file()}
    finally:
        os.umask(before)
    assert mode(path) == 0o700
    assert set(modes) == {"guarita.db", "guarita.db-shm", "guarita.db-wal", "pepper"}
    assert set(modes.values()) == {0o600}


def test_a_folder_is_opened_again(path: Path) -> None:
    with DataFolder(path, environ={}) as first:
        issued = first.keyring.create_key(first.keyring.create_account("Loja").account_id)
        assert len(first.pepper) == 32
        assert first.pepper.hex() == (path / "pepper").read_text().strip()
    with DataFolder(path, environ={}) as again:
        assert again.pepper == first.pepper
        assert again.keyring.key(issued.key.client_id) == issued.key
        assert Verifier(again.repository, again.pepper).answer(asks(issued)).key == issued.key


def test_two_folders_have_two_peppers(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "a", environ={}) as a, DataFolder(tmp_path / "b", environ={}) as b:
        assert a.pepper != b.pepper
        assert a.pepper != bytes(32)


def test_it_holds_the_keyring_the_store_and_the_paths(path: Path) -> None:
    with DataFolder(path, permissions=PERMISSIONS, clock=Clock(), environ={}) as folder:
        account_id = folder.keyring.create_account("Loja").account_id
        assert folder.keyring.create_key(account_id).key.created_at == NOW
        with pytest.raises(BadValue, match="pix:read"):
            folder.keyring.create_key(account_id, permissions=["pix:raed"])
        assert folder.store is folder.store
        assert folder.store.reservations() == []
        assert folder.decisions_path.parent == folder.path == path
    with pytest.raises(Outage):
        folder.keyring.accounts()


def test_the_pepper_can_come_from_the_environment(path: Path) -> None:
    with DataFolder(path, environ={"GUARITA_PEPPER": HEX + "\n"}) as folder:
        assert folder.pepper == bytes.fromhex(HEX)
    assert not (path / "pepper").exists()


@pytest.mark.parametrize("given", ["", "ab" * 31, "ab" * 31 + "a", "zz" * 32, "0x" + HEX])
def test_a_bad_pepper_in_the_environment_is_refused_and_not_repeated(
    path: Path, given: str
) -> None:
    with pytest.raises(DataFolderError, match="GUARITA_PEPPER must hold at least 64") as raised:
        DataFolder(path, environ={"GUARITA_PEPPER": given})
    assert "ab" * 4 not in str(raised.value)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_pepper_others_can_read_or_write_is_refused(path: Path, bits: int) -> None:
    DataFolder(path, environ={}).close()
    (path / "pepper").chmod(bits)
    with pytest.raises(DataFolderError, match=r"run: chmod 600 .*pepper"):
        DataFolder(path, environ={})
    (path / "pepper").chmod(0o400)
    DataFolder(path, environ={}).close()


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o777])
def test_a_folder_others_can_write_to_is_refused(path: Path, bits: int) -> None:
    path.mkdir(parents=True)
    path.chmod(bits)
    with pytest.raises(DataFolderError, match=r"others may write .* chmod go-w"):
        DataFolder(path, environ={})
    assert list(path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="cannot make the folder"):
        DataFolder(tmp_path / "file", environ={})


@pytest.mark.parametrize("content", ["", "ab" * 31, "not hexadecimal", "\x00" * 32])
def test_a_damaged_pepper_is_refused(path: Path, content: str) -> None:
    DataFolder(path, environ={}).close()
    (path / "pepper").write_text(content)
    with pytest.raises(DataFolderError, match="must hold at least 64 hexadecimal digits"):
        DataFolder(path, environ={})


def test_a_lost_pepper_is_not_made_anew_while_there_are_keys(path: Path) -> None:
    with DataFolder(path, environ={}) as folder:
        folder.keyring.create_key(folder.keyring.create_account("Loja").account_id)
    kept = (path / "pepper").read_text()
    (path / "pepper").unlink()
    with pytest.raises(DataFolderError, match="is missing, and the keys"):
        DataFolder(path, environ={})
    assert not (path / "pepper").exists()
    with DataFolder(path, environ={"GUARITA_PEPPER": kept}) as folder:
        assert len(folder.keyring.keys()) == 1


def test_another_pepper_than_the_keys_were_made_with_is_refused(path: Path) -> None:
    DataFolder(path, environ={}).close()
    with pytest.raises(DataFolderError, match=re.escape("made with another pepper")) as raised:
        DataFolder(path, environ={"GUARITA_PEPPER": HEX})
    assert HEX not in str(raised.value)


def test_folders_opened_together_agree_on_one_pepper(path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: DataFolder(path, environ={}), range(4)))
    try:
        assert len({folder.pepper for folder in folders}) == 1
    finally:
        for folder in folders:
            folder.close()
    assert sorted(f.name for f in path.iterdir() if f.name.startswith(".")) == []
