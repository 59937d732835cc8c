"""The body must be signed with HMAC-SHA512 under the key's secret (seed L17, L67-71, L119,
L136-138, L316-352).
"""

from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar

from msgspec import Struct

from guarita.asks import BodyProblem, Flow, ReadBody
from guarita.canonical import InvalidJson, canonical
from guarita.crypto import MacState, signature_matches
from guarita.decision import PASS, Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.api_key import Credential
from guarita.records import ApiKey

NOT_CONFIGURED = Reason("signature", "not_configured")
HEADER_MISSING = Reason("signature", "header_missing")
BODY_TOO_LARGE = Reason("signature", "body_too_large")
BODY_MISSING = Reason("signature", "body_missing")
BODY_NOT_JSON = Reason("signature", "body_not_json")
MISMATCH = Reason("signature", "mismatch")


class Form(StrEnum):
    """What a signature may cover: the bytes as sent, or their canonical text (fact sheet §4.3)."""

    RAW = "raw"
    CANONICAL = "canonical"


class SignedBody(Struct, frozen=True):
    """The body of the request, as received, with the form its signature matched."""

    body: bytes
    form: Form

    def fingerprint(self, query: bytes) -> bytes:
        """SHA-256 over query and body: tells a retry from another request under the same
        idempotency key.
        """
        return sha256(b"%d:%s,%s" % (len(query), query, self.body)).digest()

    def __repr__(self) -> str:
        return f"SignedBody({len(self.body)} bytes, {self.form})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich prefers this to __repr__, and msgspec's own would show every field.
        return [("form", self.form)]


class BodySignature(Struct, frozen=True):
    """Refuses, in this order: a key without signature secret, no `hmac` header, a body that is too
    large, absent or not strict JSON, and a signature that matches no accepted form.

    The seed gives no order within its step 5; this is the default of fact sheet question 12.

    Attributes:
        max_body: longest body read, in bytes.
        accept_raw: accept a signature over the bytes as sent; a key can narrow the accepted forms
            further.
        accept_canonical: accept a signature over their canonical text.
        methods: the methods that are signed.
        erlang_floats: print floats of the canonical text in Erlang's shortest form (fact sheet
            §4.3) instead of as sent.
    """

    max_body: int
    accept_raw: bool = True
    accept_canonical: bool = True
    methods: frozenset[str] = frozenset({"POST", "PUT", "PATCH"})
    erlang_floats: bool = False

    name: ClassVar[str] = "signature"
    reasons: ClassVar[tuple[Reason, ...]] = (
        NOT_CONFIGURED,
        HEADER_MISSING,
        BODY_TOO_LARGE,
        BODY_MISSING,
        BODY_NOT_JSON,
        MISMATCH,
    )
    needs: ClassVar[tuple[type[Any], ...]] = (Credential,)
    gives: ClassVar[type[Any] | None] = SignedBody

    def __post_init__(self) -> None:
        if not self.accept_raw and not self.accept_canonical:
            raise ValueError('signature needs at least one accepted form: "raw" or "canonical"')

    def check(self, facts: Facts, known: Known) -> Flow[Verdict]:
        if facts.method not in self.methods:
            return PASS
        credential = known[Credential]
        if not credential.key.signs or credential.mac is None:
            return Refuse(NOT_CONFIGURED, saw=credential.key.client_id)
        presented = facts.headers.get(b"hmac")
        if presented is None:
            return Refuse(HEADER_MISSING)
        body: bytes | BodyProblem = yield ReadBody(self.max_body)
        if isinstance(body, BodyProblem):
            return Refuse(BODY_TOO_LARGE, {"limit": str(self.max_body)}, saw=self.max_body)
        if not body:
            return Refuse(BODY_MISSING)
        try:
            text = canonical(body, erlang_floats=self.erlang_floats)
        except InvalidJson as problem:
            return Refuse(BODY_NOT_JSON, saw=[len(body), str(problem.why)])
        if b"hmac" in facts.headers.repeated:
            return Refuse(MISMATCH, saw="hmac header sent more than once")
        form = self._matching_form(credential.key, credential.mac, presented, body, text)
        if form is None:
            return Refuse(MISMATCH, saw=[len(body), len(presented)])
        return Pass(SignedBody(body, form), saw=[len(body), form])

    def _matching_form(
        self, key: ApiKey, mac: MacState, presented: bytes, body: bytes, text: bytes
    ) -> Form | None:
        """The accepted form that `presented` signs, or None. Bytes that are canonical as sent need
        one HMAC only.
        """
        raw, sorted_text = self.accept_raw, self.accept_canonical
        narrowed = key.signature_forms
        if narrowed is not None:
            raw = raw and Form.RAW.value in narrowed
            sorted_text = sorted_text and Form.CANONICAL.value in narrowed
        if text == body:
            if (raw or sorted_text) and signature_matches(mac, body, presented):
                return Form.CANONICAL if sorted_text else Form.RAW
            return None
        if raw and signature_matches(mac, body, presented):
            return Form.RAW
        if sorted_text and signature_matches(mac, text, presented):
            return Form.CANONICAL
        return None
