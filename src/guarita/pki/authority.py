"""A certificate authority in a folder: issues client and server certificates, revokes them and
signs the revocation list.

    ca.pem        its certificate, and those above it
    ca.key        its key, encrypted (mode 0600)
    passphrase    what the key is encrypted with (mode 0600); not there where
                  GUARITA_CA_PASSPHRASE gives it
    issued.db     what it issued and revoked
    crl.pem, crl.der   the revocation list, once published

Whoever has `ca.key` and `passphrase` can issue; keep the passphrase in the variable to keep them
apart. The keys of issued certificates are not kept.
"""

import ipaddress
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from guarita.pki import certificates
from guarita.pki.certificates import Issued
from guarita.pki.encodings import (
    CertificateFileError,
    load_certificates,
    parse_serial,
    serial_text,
    sha256_of,
)
from guarita.pki.key_files import (
    PASSPHRASE_FILE,
    AuthorityError,
    SigningKey,
    check_passphrase,
    find_passphrase,
    key_pem,
    new_key,
    new_passphrase,
    read_key,
    write_new,
    write_private,
)
from guarita.pki.register import IssuedRecord, Register
from guarita.pki.signed_list import check_reason, publish, signed_list


class Authority:
    """An open certificate authority. Thread-safe, and several processes may use one folder.

    Attributes:
        folder: where it is kept.
        certificate: its own.
        chain: its own certificate, then those above it up to the root.
    """

    def __init__(
        self,
        folder: Path,
        chain: Sequence[x509.Certificate],
        key: SigningKey,
        clock: Callable[[], float],
    ) -> None:
        self.folder = folder
        self.chain = tuple(chain)
        self.certificate = self.chain[0]
        self._key = key
        self._clock = clock
        self._register = Register(folder / "issued.db")

    def __repr__(self) -> str:
        return f"Authority({str(self.folder)!r}, {self.certificate.subject.rfc4514_string()!r})"

    @classmethod
    def create(
        cls,
        folder: Path,
        name: str,
        *,
        days: int,
        key: str = "ec-p256",
        passphrase: bytes | None = None,
        parent: "Authority | None" = None,
        path_length: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Authority":
        """Makes an authority called `name` in `folder`, which must not exist or be empty: whole,
        or not at all. `key` is "ec-p256" or "rsa-3072". Without `passphrase` one is made and kept
        in the folder. With `parent` it is an intermediate authority. `path_length` bounds the
        authorities below it.

        Raises:
            AuthorityError: there is something in the folder; a value is wrong; `parent` ends
                before.
        """
        phrase = new_passphrase() if passphrase is None else check_passphrase(passphrase)
        own = new_key(key)
        start, end = certificates.validity(clock(), days)
        builder = certificates.authority(name, own.public_key(), start, end, path_length)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # mode 0700
        try:
            if parent is None:
                certificate = certificates.self_signed(builder, name, own)
                chain = [certificate]
            else:
                certificate = parent._sign(builder, end, "authority")
                chain = [certificate, *parent.chain]
            write_private(draft / "ca.key", key_pem(own, phrase))
            if passphrase is None:
                write_private(draft / PASSPHRASE_FILE, phrase + b"\n")
            pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain)
            write_new(draft / "ca.pem", pem, mode=0o644)
            Register(draft / "issued.db").create()
            _sync(draft)
            try:
                os.rename(draft, folder)  # an empty folder is replaced, a full one is not
            except OSError as error:
                raise AuthorityError(
                    f"cannot make an authority in {folder}: {error.strerror}; it needs a folder "
                    "that is empty or not there"
                ) from None
            _sync(folder.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return cls(folder, chain, own, clock)

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: bytes | None = None,
        *,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> "Authority":
        """The authority in `folder`. Without `passphrase` it is found by `find_passphrase`.

        Raises:
            AuthorityError: there is none; others may write to the folder or read its key; a file is
                damaged; the passphrase is wrong, or is not there.
        """
        try:
            mode = folder.stat().st_mode
            chain = load_certificates((folder / "ca.pem").read_bytes(), str(folder / "ca.pem"))
        except OSError as error:
            raise AuthorityError(
                f"there is no authority in {folder}: {error.filename}: {error.strerror}"
            ) from None
        except CertificateFileError as error:
            raise AuthorityError(str(error)) from None
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise AuthorityError(f"others may write to {folder}; run: chmod go-w {folder}")
        phrase = find_passphrase(folder, environ) if passphrase is None else passphrase
        key = read_key(folder / "ca.key", phrase)
        if key.public_key() != chain[0].public_key():
            raise AuthorityError(f"{folder / 'ca.key'} is not the key of {folder / 'ca.pem'}")
        return cls(folder, chain, key, clock)

    def issue_client(
        self,
        subject_cn: str,
        *,
        days: int,
        csr: bytes | None = None,
        account: str = "",
        key_id: str = "",
        key: str = "ec-p256",
    ) -> Issued:
        """A client certificate for the common name `subject_cn`, with a new key of kind `key`, or
        for the key of `csr` (PEM or DER), of which nothing else is taken over. `account` becomes
        its organisation; `key_id` is only remembered.

        Raises:
            AuthorityError: a value is wrong, `csr` is not signed by its own key or too weak, or the
                certificate would outlive the authority.
        """
        own = new_key(key) if csr is None else None
        public = own.public_key() if own else certificates.requested_key(csr or b"")
        start, end = certificates.validity(self._clock(), days)
        builder = certificates.client(subject_cn, account, public, start, end)
        return Issued(self._sign(builder, end, "client", account, key_id), self.chain, own)

    def issue_server(
        self,
        names: Sequence[str | ipaddress.IPv4Address | ipaddress.IPv6Address],
        *,
        days: int,
        key: str = "ec-p256",
    ) -> Issued:
        """A server certificate for host names and IP addresses, with a new key.

        Raises:
            AuthorityError: a value is wrong, or the certificate would outlive the authority.
        """
        own = new_key(key)
        start, end = certificates.validity(self._clock(), days)
        builder = certificates.server(names, own.public_key(), start, end)
        return Issued(self._sign(builder, end, "server"), self.chain, own)

    def issued(self) -> list[IssuedRecord]:
        """Everything it has issued, in order."""
        return self._register.all()

    def find(self, serial: str) -> x509.Certificate | None:
        """The certificate with `serial` (any spelling), None where it has issued none."""
        der = self._register.der(parse_serial(serial))
        return None if der is None else x509.load_der_x509_certificate(der)

    def revoke(
        self, serial: str, reason: str = "unspecified", at: float | None = None
    ) -> IssuedRecord:
        """Revokes the certificate with `serial` (any spelling) for a reason of `REASONS`, at the
        Unix time `at` (now). Final; doing it again changes nothing. In force once a list is
        published.

        Raises:
            BadSpelling: `serial` is none. AuthorityError: it has issued no such certificate, or
                there is no such reason.
        """
        check_reason(reason)
        text = parse_serial(serial)
        record = self._register.revoke(text, reason, self._clock() if at is None else at)
        if record is None:
            raise AuthorityError(f"this authority has issued no certificate with serial {text}")
        return record

    def crl(
        self, at: float | None = None, *, next_update_s: int = 86_400
    ) -> x509.CertificateRevocationList:
        """A signed list of everything revoked, good from the Unix time `at` (now) for
        `next_update_s` seconds. Each has a number above those before it (RFC 5280 5.2.3). A
        certificate stays on it until a week after its end.

        Raises:
            AuthorityError: `next_update_s` is not positive.
        """
        with self._next_list(at, next_update_s) as made:
            return made

    def publish_crl(self, at: float | None = None, *, next_update_s: int = 86_400) -> Path:
        """Writes `crl` to the files crl.pem and crl.der of the folder, each whole or not at all.
        Returns the path of crl.pem.
        """
        with self._next_list(at, next_update_s) as made:
            return publish(made, self.folder)

    @contextmanager
    def _next_list(
        self, at: float | None, next_update_s: int
    ) -> Iterator[x509.CertificateRevocationList]:
        if next_update_s <= 0:
            raise AuthorityError("a revocation list is good for at least one second")
        now = int(self._clock() if at is None else at)
        with self._register.next_list(now) as (number, records):
            yield signed_list(self.certificate, self._key, number, records, now, next_update_s)

    def _sign(
        self,
        builder: x509.CertificateBuilder,
        end: datetime,
        kind: str,
        account: str = "",
        key_id: str = "",
    ) -> x509.Certificate:
        while True:
            made = certificates.issue(builder, self.certificate, self._key, end)
            der = made.public_bytes(Encoding.DER)
            record = IssuedRecord(
                serial_text(made.serial_number),
                sha256_of(der),
                made.subject.rfc4514_string(),
                kind,
                account,
                key_id,
                made.not_valid_before_utc.timestamp(),
                made.not_valid_after_utc.timestamp(),
                self._clock(),
            )
            if self._register.add(record, der):  # on the disk before anybody has it
                return made


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
