"""What support staff read: for each layer what a pass means, for each reason what was seen and what
to do. One table each.

A template is chosen by the number of values a layer left in `saw`; {0}, {1} … are those values,
{all} is all of them. A new layer or reason needs its row here (a test says so).
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from guarita.decision_log import words_certificates

Templates = Mapping[int, str]


class Row(Struct, frozen=True):
    """One refusal reason.

    Attributes:
        saw: what the layer looked at.
        advice: what whoever sends the requests, or runs the gate, should do.
    """

    saw: Templates
    advice: str


AS_IT_IS: Final[Templates] = {0: "nothing further", 1: "{0}"}

PASSES: Final[Mapping[str, Templates]] = {
    "well_formed": {0: "no control character in any header"},
    "media_type": {
        0: "not looked at: requests of this method carry no body",
        1: "Content-Type {0!q}",
    },
    "key_case": {0: "no conversion asked for", 1: "X-Key-Case: {0}"},
    "api_key": {1: "key {0}, and its secret was right"},
    "address": {1: "client address {0} is on the key's allowlist"},
    "account": {1: "account {0} is active"},
    "signature": {
        0: "not looked at: requests of this method are not signed",
        2: "body of {0} bytes; the hmac header signs its {1} form",
    },
    "rate_limit": {1: "{0}", 3: "request {1} of {2} in this window, for address {0}"},
    "idempotency": {
        0: "no Idempotency-Key to look at",
        2: "Idempotency-Key {0!q}: {1}",
    },
    "permission": {1: "the key holds {0}", 2: "the key holds {0} and {1}"},
    **words_certificates.PASSES,
}

REASONS: Final[Mapping[str, Row]] = {
    "well_formed.control_character": Row(
        {0: "a CR, LF or NUL inside a header", 1: "a CR, LF or NUL inside the header: {all}"},
        "Send every header on one line. The usual cause is a line break that `base64` puts into a "
        "long value: use `base64 -w0`, or the ApiKey scheme, which needs no base64. Also look for "
        "a line break at the end of a secret read from a file.",
    ),
    "media_type.unsupported": Row(
        {1: "{0!q}"},
        "Send exactly one Content-Type header, `application/json`, on every POST, PUT and PATCH, "
        "also where the body is empty. Many HTTP libraries set a form type of their own unless "
        "told otherwise (curl: `-H 'Content-Type: application/json'`).",
    ),
    "key_case.collision": Row(
        {1: "two spellings of the member or parameter {0!q}"},
        "The request names one member both in camelCase and in snake_case. Send it once. The "
        "request did not reach the application, and its Idempotency-Key may be used again.",
    ),
    "api_key.missing": Row(
        {1: "{0}"},
        "Send one header `Authorization: ApiKey <client_id>:<client_secret>`, or `Basic` with the "
        "base64 of `<client_id>:<client_secret>` on one line. Check that no proxy or HTTP library "
        "drops or repeats the header on a redirect.",
    ),
    "api_key.outage": Row(
        {1: "{0}"},
        "The gate could not reach its keyring; the credentials were not judged. Retry after a "
        "pause. Operator: look at the keyring's database.",
    ),
    "api_key.invalid": Row(
        {1: "{0}", 2: "id {0!q}: {1}"},
        'At "wrong secret", the id is right: copy the client_secret again, whole and without '
        'blanks, line break or quotes, and ask whether the key was rotated. At "unknown id", the '
        "id is not one of this environment's: check for sandbox and production mixed up, and for "
        "id and secret swapped. A lost secret cannot be shown again; rotate the key.",
    ),
    "api_key.inactive": Row(
        {2: "key {0} is {1}"},
        'The secret was right, but the key is switched off. "inactive" can be undone with '
        '`guarita key activate`; "revoked" is final: issue a new key.',
    ),
    "api_key.blocked": Row(
        {2: "key {0} is {1}"},
        "The secret was right, but the key is blocked. `guarita key show` gives the reason; once "
        "that is settled, an operator takes the block away with `guarita key unblock`.",
    ),
    "api_key.expired": Row(
        {2: "key {0} expired at {1!t}"},
        "Issue a new key, and put the change into the calendar before the next one expires.",
    ),
    "address.list_empty": Row(
        {0: "the key's allowlist is empty", 1: "the key's allowlist is empty; the client is {0}"},
        "A key without an allowlist admits nobody. Allow the server's public address: `guarita "
        "key allow-ip`.",
    ),
    "address.unknown": Row(
        {0: "the client's address could not be read"},
        "A trusted proxy sent an X-Forwarded-For that holds no readable address, or the peer has "
        "none. Operator: check what the proxy sends and which proxies are trusted. Changing the "
        "allowlist does not help.",
    ),
    "address.not_listed": Row(
        {1: "client address {0} is not on the key's allowlist"},
        "If that address is the integrator's own, allow it (`guarita key allow-ip`); `guarita key "
        "test-ip` tries one against the list. If it is a proxy or load balancer on the gate's own "
        "side, the operator has to name it as a trusted proxy. Look out for outgoing addresses "
        "that change, and for IPv6 where only IPv4 was allowed.",
    ),
    "account.not_active": Row(
        {2: "account {0} is {1}"},
        "Nothing in the request is wrong: every key of this account is refused until the account "
        "is active again (`guarita account activate`). Ask whoever suspended it.",
    ),
    "signature.not_configured": Row(
        {1: "key {0} has no signature secret"},
        "The key was made without body signatures, so it can only read. Issue a key with them for "
        "writing.",
    ),
    "signature.header_missing": Row(
        {0: "no hmac header"},
        "Send a header `hmac`: HMAC-SHA512 of the body under the whole client_secret (`sk_` "
        "included), as 128 hexadecimal digits. Requests of this method are signed even where the "
        "endpoint needs no more than an identifier.",
    ),
    "signature.body_too_large": Row(
        {1: "body longer than {0} bytes"},
        "Send a smaller body. Operator: the limit is a setting of the signature layer.",
    ),
    "signature.body_missing": Row(
        {0: "no body"},
        "Send a JSON body, `{}` at least, and sign exactly those bytes. If the client did send "
        "one, look for a redirect or a proxy that dropped it.",
    ),
    "signature.body_not_json": Row(
        {2: "body of {0} bytes is not strict JSON: {1}"},
        "Send JSON in UTF-8 without a byte-order mark, without NaN or Infinity, every member name "
        "once in its object, at most 64 levels deep. Multipart bodies cannot be signed.",
    ),
    "signature.mismatch": Row(
        {
            1: "{0}",
            2: "body of {0} bytes, hmac header of {1} characters; it signs no accepted form",
        },
        "Sign the very bytes that are sent: serialise once, keep the result, sign it and send it; "
        "HTTP libraries that take an object serialise it a second time and differently. Key the "
        "HMAC-SHA512 with the whole client_secret, `sk_` included and without a line break, and "
        "send it as 128 hexadecimal digits, once: another length means another hash, base64, or a "
        "cut header. `guarita sign` prints the right value for a body.",
    ),
    "rate_limit.too_many": Row(
        {3: "request {1} in this window, for address {0}; {2} are admitted"},
        "Wait for the seconds in Retry-After, then go on more slowly; 2xx responses say in "
        "x-ratelimit-remaining how many are left. All keys used from one address count together. "
        "If many clients share this address, check whether it is an unnamed proxy's.",
    ),
    "rate_limit.outage": Row(
        {1: "{0}"},
        "The gate could not reach its counters and is set to refuse then. Retry after a pause. "
        "Operator: look at the counters' store.",
    ),
    "idempotency.key_repeated": Row(
        {1: "Idempotency-Key {0}"},
        "Send Idempotency-Key once. Often one comes from the program and one from its HTTP "
        "library or a proxy.",
    ),
    "idempotency.key_too_long": Row(
        {1: "Idempotency-Key of {0} bytes"},
        "Use a shorter key, such as a UUID made once per payment and kept for its retries. "
        "Characters beyond ASCII count as several bytes.",
    ),
    "idempotency.outage": Row(
        {2: "Idempotency-Key {0!q}: {1}"},
        "Without its store the gate cannot tell whether this was executed before, so nothing was "
        "executed now. Retry with the same Idempotency-Key. Operator: look at the store.",
    ),
    "idempotency.in_flight": Row(
        {2: "Idempotency-Key {0!q}: {1}"},
        "The first request with this key is still being processed. Retry later with the same key: "
        "its answer will be replayed. Do not change the key, that could pay twice.",
    ),
    "idempotency.outcome_unknown": Row(
        {2: "Idempotency-Key {0!q}: {1}"},
        "The first request with this key was cut off, and nobody can tell from here whether it "
        "was executed. Find out in the application (search for the transaction), then settle it "
        "with `guarita idempotency resolve`. Until then do not send the payment under another "
        "key.",
    ),
    "idempotency.other_body": Row(
        {2: "Idempotency-Key {0!q}: {1}"},
        "The key was used before with another body or query. Make a new key for each new "
        "operation; send a retry byte for byte as the first time.",
    ),
    "permission.no_route": Row(
        {0: "the path names no operation"},
        "Check the path: letter case, a trailing slash, doubled slashes and needless "
        "percent-encoding all count. The prefix belongs to it.",
    ),
    "permission.wrong_method": Row(
        {0: "the path takes another method", 1: "the path takes {all}"},
        "Use one of the methods that the Allow header names. HEAD is not GET here, and "
        "method-override headers do nothing.",
    ),
    "permission.lacking": Row(
        {1: "the key lacks {0}"},
        "Grant the permission if this key is meant to do this (`guarita key grant`); otherwise "
        "use the key that is.",
    ),
    "serving.malformed_request": Row(
        {0: "nothing"},
        "The bytes sent are no HTTP request. The usual cause is a line break in a header value: "
        "`base64` wraps its output, `base64 -w0` does not.",
    ),
    "serving.websocket": Row(
        {0: "nothing"},
        "The API has no WebSockets: a WebSocket is checked by no layer. Use plain HTTP requests.",
    ),
    "serving.internal_error": Row(
        {0: "nothing"},
        "The gate or the application failed; the request is not to blame. Operator: search the "
        "server's log for this Ray ID. A retry of a payment must carry the same Idempotency-Key.",
    ),
    "serving.bad_gateway": Row(
        {0: "nothing"},
        "The application behind the gate could not be reached or broke off. Whether it executed "
        "the request is not known: retry a payment only with the same Idempotency-Key.",
    ),
    "serving.gateway_timeout": Row(
        {0: "nothing"},
        "The application behind the gate did not answer in time. Whether it executed the request "
        "is not known: retry a payment only with the same Idempotency-Key.",
    ),
    **{reason: Row(saw, advice) for reason, (saw, advice) in words_certificates.REASONS.items()},
}

REPLAYED: Final[Templates] = {2: "Idempotency-Key {0!q} was answered before ({1})"}

REPLAY_ADVICE: Final = (
    "This is the stored answer of the first request with this Idempotency-Key; nothing was "
    "executed again. If a new operation was meant, send it with a new key."
)

NO_ADVICE: Final = "No advice is written for this reason; see the table of errors."
