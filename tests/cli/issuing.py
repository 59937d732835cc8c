"""What the tests of `guarita certificate` share: openssl, outside certificates, short commands."""

import hashlib
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certified, Issuer
from tests.cli.conftest import Key, Runner

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def openssl(*words: str, stdin: bytes = b"") -> str:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *words], input=stdin, capture_output=True, check=True)
    return done.stdout.decode()


def issue(run: Runner, key: Key, out: str = "out", *words: str) -> dict[str, Any]:
    result = run("certificate", "issue", "--key", key.key_id, "--out", out, *words, "--json")
    assert result.status == 0, result.err
    document: dict[str, Any] = result.json
    return document


def listed(run: Runner, *words: str) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = run("certificate", "list", *words, "--json").json
    return documents


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def foreign(days: float = 90) -> Certified:
    """A certificate of somebody else's authority."""
    return Issuer.root("Outra CA").intermediate("Outra CA 2").leaf("loja", days=days)


def sha256_of(certified: Certified) -> str:
    return hashlib.sha256(certified.der).digest().hex(":").upper()
