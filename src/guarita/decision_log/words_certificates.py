"""The words of `words` for keys in a header, client certificates and lockouts: as plain tuples of
what a layer saw (by the number of values) and what to do.
"""

from collections.abc import Mapping
from typing import Final

PASSES: Final[Mapping[str, Mapping[int, str]]] = {
    "api_key_header": {1: "key {0}"},
    "lockout": {
        1: "{0}",
        3: "{1} refused attempts from {0} in this window, {2} lock it out",
    },
    "certificate": {
        1: "{0}",
        3: "certificate {0} (serial {1}, {2}) is valid and accepted for the key",
    },
    "account_header": {1: "account {0} is the key's and active"},
}

_VALID: Final = {3: "certificate {0}, serial {1}, {2}"}

REASONS: Final[Mapping[str, tuple[Mapping[int, str], str]]] = {
    "api_key_header.missing": (
        {1: "the key header: {0}"},
        "Send the API key once, in the header `x-delbank-api-key`.",
    ),
    "api_key_header.unknown": (
        {1: "a key of {0} that nobody has"},
        "Check that the whole key is sent, without blanks or quotes, and that it belongs to this "
        "environment.",
    ),
    "api_key_header.ended": (
        {2: "key {0} is {1}"},
        "The key is revoked, inactive or expired. Use the key that took its place, or have it "
        "activated (`guarita key activate`) if it was only switched off.",
    ),
    "api_key_header.blocked": (
        {2: "key {0} is blocked: {1}"},
        "Find out why it was blocked; then an operator unblocks it (`guarita key unblock`).",
    ),
    "api_key_header.outage": (
        {1: "{0}"},
        "Operator: the keyring's store cannot be read; see the server's log. The caller retries.",
    ),
    "lockout.address_blocked": (
        {3: "{1} refused attempts from {0} in this window, {2} are the limit"},
        "Only this address is locked out, and only until the window ends. Find the earlier "
        "refusals of this key from this address and mend their cause first.",
    ),
    "lockout.outage": (
        {1: "{0}"},
        "Operator: the counters' store cannot be reached; see the server's log.",
    ),
    "certificate.lapsed": (
        {3: "certificate {0} was verified {1} s ago; {2} is over"},
        "Retry on a new connection: the certificate is then verified afresh. Operator: if it comes "
        "at once again, the revocation list is out of date.",
    ),
    "certificate.not_presented": (
        {0: "no client certificate"},
        "Configure certificate and private key in the HTTP client (curl: --cert and --key, or "
        "--cert-type P12). Behind an edge: check that it asks for one and passes it on.",
    ),
    "certificate.outage": ({1: "{0}"}, "Operator: certificates cannot be verified; see the log."),
    "certificate.malformed": (
        {3: "no X.509 certificate; the SHA-256 of what was presented is {0}"},
        "What was presented is no X.509 certificate. Behind an edge: check the form of the "
        "certificate header.",
    ),
    "certificate.expired": (
        _VALID,
        "A certificate of the chain has expired. Issue a new one and register it for the key.",
    ),
    "certificate.not_yet_valid": (
        _VALID,
        "A certificate of the chain begins in the future: check the clock of whoever issued it.",
    ),
    "certificate.wrong_purpose": (
        _VALID,
        "The certificate is for another purpose: its extended key usage must hold clientAuth.",
    ),
    "certificate.unknown_issuer": (
        _VALID,
        "No trusted authority stands at the end of the chain. Send the intermediate certificates "
        "too, or use a certificate of the right authority; a self-signed one is never accepted.",
    ),
    "certificate.revoked": (
        _VALID,
        "The certificate is on its authority's revocation list for good. Issue a new one.",
    ),
    "certificate.weak": (
        _VALID,
        "The key or a signature of the chain is too weak. Use P-256 or RSA of 2048 bits or more, "
        "and SHA-256.",
    ),
    "certificate.constraint": (
        _VALID,
        "The chain breaks a rule one of its authorities set (names, path length, basic "
        "constraints). Ask whoever issued it.",
    ),
    "certificate.revocation_unknown": (
        _VALID,
        "Operator: the revocation list of its authority is missing or out of date; renew it.",
    ),
    "certificate.other_serial": (
        _VALID,
        "Valid, but not registered for this key: another serial number. Register it "
        "(`guarita certificate register`) or use the one that is.",
    ),
    "certificate.other_fingerprint": (
        _VALID,
        "A registered serial number with another fingerprint: a different certificate. Compare "
        "with `openssl x509 -noout -fingerprint -sha256`.",
    ),
    "account_header.missing": (
        {1: "the account header: {0}"},
        "Send the account id once, in the header `x-delfinance-account-id`.",
    ),
    "account_header.other_account": (
        {1: "account {0!q} is not the key's"},
        "Send the id of the account the key was issued for.",
    ),
    "account_header.not_active": (
        {2: "account {0} is {1}"},
        "The account is suspended. Have it activated (`guarita account activate`).",
    ),
}
