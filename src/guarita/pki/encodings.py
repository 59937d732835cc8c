"""Certificates as text and bytes: fingerprints and serials in every usual spelling, and the files
certificates come in (PEM, DER, PKCS#7, PKCS#12).

What is shown is exactly what openssl prints (seed "How to check the fingerprint"), so that a person
can compare by eye. Errors never repeat what was given: somebody may have pasted a secret.
"""

import base64
import binascii
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202c\u2060\ufeff"))
"""Marks that certificate dialogs put around the digits when they are copied."""

_SEPARATORS = re.compile(r"[\s:\-]")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_SHA256_LABEL = re.compile(
    r"\s*(?:sha-?256)?\s*(?:certificate\s+)?(?:finger[ ]?print|thumbprint)?\s*[:=]?\s*", re.I
)
_OTHER_HASH = re.compile(r"\s*(md5|sha-?1|sha-?224|sha-?384|sha-?512)\b", re.I)
_SERIAL_LABEL = re.compile(r"\s*(?:certificate\s+)?(?:serial(?:\s*number)?)?\s*[:=]?\s*", re.I)
_BOTH_BASES = re.compile(r"(\d+)\s*\(0x([0-9A-Fa-f]+)\)\s*")
_HASH_OF_LENGTH = {32: "MD5", 40: "SHA-1", 56: "SHA-224", 96: "SHA-384", 128: "SHA-512"}
_SERIAL_BITS = 160  # RFC 5280 section 4.1.2.2: 20 octets

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.S)
_PEM_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_CERTIFICATE_LABELS = {b"CERTIFICATE", b"X509 CERTIFICATE"}

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,
)
"""What parsing a hostile certificate or list may raise (warnings where they are errors)."""


class BadSpelling(ValueError):
    """Not a fingerprint or serial in any usual spelling; the message says what would be right."""


class CertificateFileError(ValueError):
    """A file does not hold what it should; the message names the file and the fault."""


def sha256_of(der: bytes) -> str:
    """The SHA-256 fingerprint of a DER certificate, as `openssl x509 -fingerprint -sha256` prints
    it: 32 upper-case pairs with colons.
    """
    return hashlib.sha256(der).digest().hex(":").upper()


def serial_text(serial: int) -> str:
    """A serial as `openssl x509 -serial` prints it: upper-case hexadecimal, an even number of
    digits.
    """
    digits = f"{abs(serial):X}"
    return ("-" if serial < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def parse_sha256(text: str) -> str:
    """A SHA-256 fingerprint in any usual spelling (colons, blanks, hyphens or none, either case,
    with or without a label such as "SHA256 Fingerprint="), in the form of `sha256_of`.

    Raises:
        BadSpelling: anything else, other hashes included.
    """
    shown = text.translate(_INVISIBLE)
    other = _OTHER_HASH.match(shown)
    if other:
        raise BadSpelling(f"that is a fingerprint by {other[1].upper()}; {_WANTED_SHA256}")
    label = _SHA256_LABEL.match(shown)
    digits = _hexadecimal(shown[label.end() :] if label else shown, _WANTED_SHA256)
    if len(digits) in _HASH_OF_LENGTH:
        kind = _HASH_OF_LENGTH[len(digits)]
        raise BadSpelling(
            f"{len(digits)} hexadecimal digits are a fingerprint by {kind}; {_WANTED_SHA256}"
        )
    if len(digits) != 64:
        raise BadSpelling(f"it has {len(digits)} hexadecimal digits, not 64; {_WANTED_SHA256}")
    return bytes.fromhex(digits).hex(":").upper()


def parse_serial(text: str) -> str:
    """A serial in any usual spelling, in the form of `serial_text`: hexadecimal in either case,
    with colons, blanks, leading zeros, "0x" or a label such as "serial=", or decimal followed by
    hexadecimal in brackets ("4103 (0x1007)", as `openssl x509 -text` prints short ones). Digits
    alone are hexadecimal, as every tool but that prints them.

    Raises:
        BadSpelling: anything else; zero and more than 20 octets included (RFC 5280 4.1.2.2).
    """
    shown = text.translate(_INVISIBLE)
    label = _SERIAL_LABEL.match(shown)
    shown = shown[label.end() :] if label else shown
    both = _BOTH_BASES.fullmatch(shown)
    if both and (len(both[1]) > 60 or int(both[1]) != int(both[2], 16)):
        raise BadSpelling("the decimal number and the hexadecimal one in brackets differ")
    if both:
        shown = both[2]
    if shown.startswith("-"):
        raise BadSpelling("serials are positive numbers")
    shown = shown[2:] if shown[:2] in ("0x", "0X") else shown
    digits = _hexadecimal(shown, _WANTED_SERIAL).lstrip("0")
    if not digits:
        raise BadSpelling(f"it holds no digit but zeros; {_WANTED_SERIAL}")
    if 4 * len(digits) > _SERIAL_BITS:
        raise BadSpelling(
            f"{len(digits)} hexadecimal digits are too many: a serial has at most 40 "
            "(a fingerprint has 64)"
        )
    return serial_text(int(digits, 16))


_WANTED_SHA256 = "give the line of `openssl x509 -noout -fingerprint -sha256`"
_WANTED_SERIAL = "give the line of `openssl x509 -noout -serial`"


def _hexadecimal(text: str, wanted: str) -> str:
    digits = _SEPARATORS.sub("", text)
    good = _HEX.match(digits)
    if good is None or good.end() != len(digits):
        place = good.end() + 1 if good else 1
        raise BadSpelling(f"character {place} of the number is no hexadecimal digit; {wanted}")
    return digits


def load_certificates(
    data: bytes, name: str, password: bytes | None = None
) -> list[x509.Certificate]:
    """Every certificate in `data`: PEM (any number, other PEM blocks are passed over), DER, PKCS#7
    or PKCS#12, whose own certificate comes first.

    `name` is the file's, for the errors; `password` opens a PKCS#12 file.

    Raises:
        CertificateFileError: there is none, or it cannot be read. Never shows `password`.
    """
    if not data.strip():
        raise CertificateFileError(f"{name}: the file is empty")
    if b"-----BEGIN " in data:
        return _from_pem(data, name)
    if data[:1] != b"\x30":
        raise CertificateFileError(f"{name}: neither PEM (no -----BEGIN CERTIFICATE-----) nor DER")
    if re.match(rb"\x30(?:[\x00-\x80]|[\x81-\x84].{0,4}?)\x02\x01\x03\x30", data[:12], re.S):
        return _from_pkcs12(data, name, password)
    if b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in data[:20]:
        return _from_pkcs7(data, name)
    return [_from_der(data, name)]


def pem_blocks(data: bytes, name: str) -> list[tuple[bytes, bytes]]:
    """(label, DER) of every PEM block in `data`, in order.

    Raises:
        CertificateFileError: a block is cut off or is not base64.
    """
    blocks: list[tuple[bytes, bytes]] = []
    found = list(_PEM.finditer(data))
    if len(found) != len(_PEM_BEGIN.findall(data)):
        raise CertificateFileError(
            f"{name}: truncated: a -----BEGIN line has no -----END line of its own"
        )
    for number, block in enumerate(found, 1):
        if block[1].endswith(b"PRIVATE KEY"):
            blocks.append((block[1], b""))  # never decoded here
            continue
        try:
            blocks.append((block[1], base64.b64decode(b"".join(block[2].split()), validate=True)))
        except binascii.Error:
            raise CertificateFileError(
                f"{name}: PEM block {number} is not base64, or is cut off"
            ) from None
    return blocks


def _from_pem(data: bytes, name: str) -> list[x509.Certificate]:
    certificates: list[x509.Certificate] = []
    labels: list[str] = []
    for label, der in pem_blocks(data, name):
        labels.append(label.decode())
        if label in _CERTIFICATE_LABELS:
            certificates.append(_from_der(der, f"{name}, PEM block {len(labels)}"))
        elif label == b"PKCS7":
            certificates += _from_pkcs7(der, name)
    if not certificates:
        held = ", ".join(sorted(set(labels)))
        raise CertificateFileError(f"{name}: holds no certificate, only: {held}")
    return certificates


def _from_der(der: bytes, name: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE as error:
        raise CertificateFileError(
            f"{name}: not a certificate, or damaged ({_said(error)})"
        ) from None


def _from_pkcs7(der: bytes, name: str) -> list[x509.Certificate]:
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    except UNREADABLE as error:
        raise CertificateFileError(f"{name}: PKCS#7, but unreadable ({_said(error)})") from None
    if not certificates:
        raise CertificateFileError(f"{name}: PKCS#7 without a certificate")
    return certificates


def _from_pkcs12(data: bytes, name: str, password: bytes | None) -> list[x509.Certificate]:
    try:
        opened = pkcs12.load_pkcs12(data, password)
    except UNREADABLE:
        # The library's own words are not passed on: they are about the password.
        given = "no password was given" if password is None else "the password is wrong"
        raise CertificateFileError(
            f"{name}: PKCS#12, but {given}, or the file is damaged"
        ) from None
    own = [opened.cert] if opened.cert else []
    certificates = [each.certificate for each in own + opened.additional_certs]
    if not certificates:
        raise CertificateFileError(f"{name}: PKCS#12 without a certificate")
    return certificates


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
