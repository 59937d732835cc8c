"""The authority under several processes, and under `kill -9`: serials are unique, and nothing that
was handed out or revoked is forgotten.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509

import guarita
from guarita.pki.authority import Authority
from guarita.pki.encodings import serial_text
from tests.pki.made import NOW

PASSPHRASE = b"the passphrase of this test"
START = """
import sys
from pathlib import Path
from guarita.pki.authority import Authority
from guarita.pki.encodings import serial_text
folder, count = Path(sys.argv[1]), int(sys.argv[2])
own = Authority.open(folder, b"the passphrase of this test")
"""
ISSUE = """
for number in range(count):
    issued = own.issue_client(f"client {number}", days=1).certificate
    print(serial_text(issued.serial_number), flush=True)
"""
REVOKE_AND_PUBLISH = """
for number in range(count):
    issued = own.issue_client(f"client {number}", days=1).certificate
    own.revoke(f"{issued.serial_number:x}")
    own.publish_crl()
    print(serial_text(issued.serial_number), flush=True)
"""
CREATE = """
import sys
from pathlib import Path
from guarita.pki.authority import Authority
from guarita.pki.key_files import AuthorityError
sys.stdin.readline()
try:
    own = Authority.create(Path(sys.argv[1]), "CA", days=9, passphrase=b"x" * 16)
    print(own.certificate.serial_number)
except AuthorityError:
    print("refused")
"""


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "CA", days=9, passphrase=PASSPHRASE)


def start(code: str, folder: Path, count: int = 0) -> subprocess.Popen[str]:
    source = Path(guarita.__file__).resolve().parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )


def test_two_processes_issue_at_once(own: Authority) -> None:
    processes = [start(START + ISSUE, own.folder, 40) for _ in range(2)]
    printed = [each.communicate(timeout=120)[0].split() for each in processes]
    assert [each.returncode for each in processes] == [0, 0]
    serials = printed[0] + printed[1]
    assert len(set(serials)) == len(serials) == 80
    assert {each.serial for each in own.issued()} == set(serials)


def test_threads_issue_at_once(own: Authority) -> None:
    serials: list[int] = []

    def issue() -> None:
        for _ in range(10):
            serials.append(own.issue_client("x", days=1).certificate.serial_number)

    threads = [threading.Thread(target=issue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(serials)) == 40
    assert {each.serial for each in own.issued()} == {serial_text(each) for each in serials}


def test_two_processes_revoke_and_publish_at_once(own: Authority) -> None:
    """The list that stands in the end is the one with everything in it."""
    processes = [start(START + REVOKE_AND_PUBLISH, own.folder, 20) for _ in range(2)]
    printed = [each.communicate(timeout=120)[0].split() for each in processes]
    assert [each.returncode for each in processes] == [0, 0]
    crl = x509.load_pem_x509_crl((own.folder / "crl.pem").read_bytes())
    assert {serial_text(each.serial_number) for each in crl} == set(printed[0] + printed[1])
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == 40


@pytest.mark.parametrize("code", [ISSUE, REVOKE_AND_PUBLISH], ids=["issuing", "publishing"])
@pytest.mark.parametrize("after", [1, 5, 12])
def test_killed_in_the_middle(own: Authority, code: str, after: int) -> None:
    process = start(START + code, own.folder, 10_000)
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    seen += process.communicate(timeout=60)[0].split()
    assert process.returncode == -signal.SIGKILL

    again = Authority.open(own.folder, PASSPHRASE)
    known = {each.serial: each for each in again.issued()}
    handed_out = set(seen[:-1])  # the last line may be cut off
    assert handed_out <= set(known)
    if code is REVOKE_AND_PUBLISH:
        assert all(known[serial].revoked_at is not None for serial in handed_out)
        x509.load_pem_x509_crl((own.folder / "crl.pem").read_bytes())
        x509.load_der_x509_crl((own.folder / "crl.der").read_bytes())
    issued = again.issue_client("afterwards", days=1).certificate
    assert serial_text(issued.serial_number) not in known
    again.revoke(f"{issued.serial_number:x}")
    crl = x509.load_pem_x509_crl(again.publish_crl().read_bytes())
    assert issued.serial_number in {each.serial_number for each in crl}


def test_of_two_that_make_the_same_authority_one_wins(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    processes = [start(CREATE, folder) for _ in range(2)]
    printed = [each.communicate("go\n", timeout=60)[0].strip() for each in processes]
    assert printed.count("refused") == 1
    (serial,) = [each for each in printed if each != "refused"]
    assert Authority.open(folder, b"x" * 16).certificate.serial_number == int(serial)


def test_killed_while_being_made_leaves_nothing_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ca"

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(os, "rename", power_cut)
        with pytest.raises(KeyboardInterrupt):
            Authority.create(folder, "CA", days=9, passphrase=PASSPHRASE)
    assert not folder.exists()
    made = Authority.create(folder, "CA", days=9, passphrase=PASSPHRASE, clock=lambda: NOW)
    assert made.issue_client("x", days=1).certificate is not None
