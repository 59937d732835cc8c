"""The files of a certificate authority that must be read by nobody else: its key, encrypted, and
its passphrase where no variable gives that. Errors name the file and never what is in it.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

PASSPHRASE_VARIABLE = "GUARITA_CA_PASSPHRASE"  # noqa: S105
PASSPHRASE_FILE = "passphrase"  # noqa: S105
_SHORTEST = 16
_LONGEST = 1023  # what OpenSSL takes

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class AuthorityError(Exception):
    """The authority cannot do what was asked; the message says why, and what to do."""


def new_key(kind: str) -> SigningKey:
    """A new key: "ec-p256" or "rsa-3072". Raises AuthorityError: of another kind."""
    if kind == "ec-p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "rsa-3072":
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    raise AuthorityError(f'a key is "ec-p256" or "rsa-3072", not {kind!r}')


def key_pem(key: SigningKey, passphrase: bytes | None = None) -> bytes:
    """`key` as PEM (PKCS#8), encrypted where a passphrase is given."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def read_key(file: Path, passphrase: bytes) -> SigningKey:
    """The key in `file`, decrypted.

    Raises:
        AuthorityError: others may read the file, it is damaged or not encrypted, or the passphrase
            is wrong.
    """
    data = read_private(file)
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in data:
        what = "is not encrypted" if b"PRIVATE KEY-----" in data else "holds no private key"
        raise AuthorityError(f"{file}: {what}; a certificate authority's key is kept encrypted")
    if b"-----END ENCRYPTED PRIVATE KEY-----" not in data:
        raise AuthorityError(f"{file}: truncated: it has no -----END line")
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AuthorityError(f"{file}: the passphrase is wrong, or the file is damaged") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise AuthorityError(f"{file}: the key is neither RSA nor ECDSA")
    return key


def write_private(file: Path, data: bytes) -> None:
    """Makes `file`, which must not exist, with mode 0600."""
    write_new(file, data, mode=0o600)


def write_new(file: Path, data: bytes, mode: int) -> None:
    """Makes `file`, which must not exist, whole and on the disk."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(opened, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(opened)


def read_private(file: Path) -> bytes:
    """What is in `file`. Raises AuthorityError: it cannot be read, or others may read or write
    it.
    """
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(1_000_000)
    except OSError as error:
        raise AuthorityError(f"cannot read {file}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthorityError(f"others may read or write {file}; run: chmod 600 {file}")
    return data


def new_passphrase() -> bytes:
    """A passphrase of 256 random bits, in hexadecimal."""
    return secrets.token_hex(32).encode()


def find_passphrase(folder: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """The passphrase of the authority in `folder`: the variable GUARITA_CA_PASSPHRASE, else the
    file `passphrase` that was made with it.

    Raises:
        AuthorityError: there is neither, or others may read the file.
    """
    given = environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return check_passphrase(given.encode())
    file = folder / PASSPHRASE_FILE
    if not file.exists():
        raise AuthorityError(
            f"the passphrase of {folder / 'ca.key'} is neither in the variable "
            f"{PASSPHRASE_VARIABLE} nor in {file}"
        )
    return check_passphrase(read_private(file).strip())


def check_passphrase(passphrase: bytes) -> bytes:
    """`passphrase` itself. Raises AuthorityError: too short to resist guessing (the encryption of
    key files slows a guess down by little), or too long.
    """
    if not _SHORTEST <= len(passphrase) <= _LONGEST:
        raise AuthorityError(
            f"the passphrase of a certificate authority has {_SHORTEST} to {_LONGEST} bytes; "
            "`openssl rand -hex 32` makes one"
        )
    return passphrase
