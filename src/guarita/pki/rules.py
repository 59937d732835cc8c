"""What is demanded of the certificates in a client's chain, as policies of the library.

Started from the library's WebPKI defaults, which are made for public servers, and loosened where
private authorities differ without harm: what `openssl req -x509` and `openssl x509 -req` make
without an extension file has no key usage, no authority key identifier, basicConstraints that is
not marked critical, or a client certificate of X.509 version 1.
"""

from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier, SignatureAlgorithmOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy

E = TypeVar("E", bound=x509.ExtensionType)

MIN_RSA_BITS = 2048
CURVES = {"secp256r1", "secp384r1", "secp521r1"}

_CLIENT = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
_SIGNATURES: set[ObjectIdentifier] = {
    SignatureAlgorithmOID.RSA_WITH_SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512,
    SignatureAlgorithmOID.RSASSA_PSS,
    SignatureAlgorithmOID.ECDSA_WITH_SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
}
_HASHES = {"sha256", "sha384", "sha512"}


def purpose_problem(certificate: x509.Certificate, *, require_eku: bool) -> str:
    """Why `certificate` is not for TLS clients, or "". An extended key usage, when present, must
    hold clientAuth (RFC 5280 4.2.1.12); `require_eku` demands one.
    """
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return "it is a certificate authority's"
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None:
        if usage.key_cert_sign:
            return "its key usage is to sign certificates"
        if not (usage.digital_signature or usage.key_agreement):
            return "its key usage does not allow it to sign a handshake"
    return _eku_problem(extension(certificate, x509.ExtendedKeyUsage), required=require_eku)


def issuing_problem(certificate: x509.Certificate) -> str:
    """Why `certificate` may not issue others, or ""."""
    if certificate.version is not x509.Version.v3:
        return "it is X.509 version 1, which cannot say that it is an authority"
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return "its basicConstraints do not make it an authority"
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return "its key usage does not allow it to sign certificates"
    return ""


def issuing_purpose_problem(certificate: x509.Certificate) -> str:
    """Why an authority's certificate may not issue *client* certificates, or ""."""
    return _eku_problem(extension(certificate, x509.ExtendedKeyUsage), required=False)


def weakness(certificate: x509.Certificate) -> str:
    """What is too weak about the signature or key of `certificate`, or ""."""
    return weakness_of_signature(certificate) or weakness_of_key(certificate)


def weakness_of_signature(signed: x509.Certificate | x509.CertificateRevocationList) -> str:
    """What is too weak about the signature under `signed`, or ""."""
    try:
        used = signed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        used = None
    if signed.signature_algorithm_oid in _SIGNATURES and used and used.name in _HASHES:
        return ""
    return (
        f"signed with {_named(signed.signature_algorithm_oid)}; "
        "accepted are RSA and ECDSA with SHA-256, SHA-384 or SHA-512"
    )


def weakness_of_key(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """What is too weak about the key of `certificate`, or ""."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} are needed"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        return f"a key on the curve {key.curve.name}; accepted are P-256, P-384 and P-521"
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return f"a key that is neither RSA nor ECDSA ({type(key).__name__})"
    return ""


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The extension `kind` of `certificate`, None where it has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _eku_problem(usages: x509.ExtendedKeyUsage | None, *, required: bool) -> str:
    if usages is None:
        return "it has no extended key usage, and one is demanded" if required else ""
    if _CLIENT.isdisjoint(usages):
        return "its extended key usage does not hold clientAuth"
    return ""


def _named(oid: ObjectIdentifier) -> str:
    known = oid._name
    return known if known != "Unknown OID" else oid.dotted_string


# The library calls these back with each certificate of a path; what they raise refuses the path.


class _Refused(Exception):
    pass


def _demand(problem: str) -> None:
    if problem:
        raise _Refused(problem)


def _is_authority(_: Policy, certificate: x509.Certificate, __: x509.BasicConstraints) -> None:
    _demand(issuing_problem(certificate))


def _issues_to_clients(
    _: Policy, certificate: x509.Certificate, __: x509.ExtendedKeyUsage | None
) -> None:
    _demand(issuing_purpose_problem(certificate))


def _is_client(_: Policy, certificate: x509.Certificate, __: x509.ExtendedKeyUsage | None) -> None:
    _demand(purpose_problem(certificate, require_eku=False))


def _is_declared_client(
    _: Policy, certificate: x509.Certificate, __: x509.ExtendedKeyUsage | None
) -> None:
    _demand(purpose_problem(certificate, require_eku=True))


def _named_somewhere(
    _: Policy, certificate: x509.Certificate, names: x509.SubjectAlternativeName | None
) -> None:
    # RFC 5280 4.2.1.6: where the subject is empty, the names elsewhere must be critical.
    if names is not None and not list(certificate.subject):
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        _demand("" if found.critical else "its subject is empty and its names are not critical")


def issuer_policy(defaults: ExtensionPolicy, *, any_purpose: bool) -> ExtensionPolicy:
    """`defaults` changed to what is demanded of an authority: basicConstraints with cA; a key
    usage, where there is one, with keyCertSign; an extended key usage likewise with clientAuth.
    """
    policy = defaults.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
    policy = policy.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
    purpose = None if any_purpose else _issues_to_clients
    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, purpose)


def client_policy(*, require_eku: bool, any_purpose: bool) -> ExtensionPolicy:
    """What is demanded of the client's own certificate. A subject alternative name is not."""
    policy = ExtensionPolicy.webpki_defaults_ee()
    policy = policy.may_be_present(
        x509.SubjectAlternativeName, Criticality.AGNOSTIC, _named_somewhere
    )
    policy = policy.may_be_present(x509.AuthorityKeyIdentifier, Criticality.NON_CRITICAL, None)
    purpose = _is_declared_client if require_eku else _is_client
    return policy.may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None if any_purpose else purpose
    )


def version_1_issuer_policy(*, any_purpose: bool) -> ExtensionPolicy:
    """What is demanded of the authority directly above a client certificate of version 1, when the
    library is asked about that authority's own path: see `version1`.
    """
    policy = issuer_policy(ExtensionPolicy.webpki_defaults_ee(), any_purpose=any_purpose)
    policy = policy.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    return policy.may_be_present(x509.AuthorityKeyIdentifier, Criticality.NON_CRITICAL, None)
