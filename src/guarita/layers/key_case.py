"""`X-Key-Case: camelCase` converts names between the caller's camelCase and the application's
snake_case (seed L14, L125, L132-138).

The layer itself refuses nothing. It asks for a conversion around the application, which is applied
to the admitted request: so signatures are computed over the bytes as sent, and replays are the
bytes as first returned.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from guarita.casing import Collision, body_to_camel, body_to_snake, query_to_snake
from guarita.decision import PASS, Converted, Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts
from guarita.layers.signature import SignedBody

COLLISION = Reason("key_case", "collision")

LONGEST_MEMBER = 100
"""A refusal names the member given twice, cut to so many characters."""


class CamelCase:
    """Query parameter names and body members in, response members out (JSON only)."""

    def request(self, facts: Facts, known: Known) -> Converted | Refuse:
        signed: SignedBody | None = known.get(SignedBody)
        try:
            query = query_to_snake(facts.query)
            return Converted(query, body_to_snake(signed.body) if signed else None)
        except Collision as collision:
            member = collision.member[:LONGEST_MEMBER]
            return Refuse(COLLISION, {"member": member}, saw=member)

    def wants_body(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        types = [value for name, value in headers if name.lower() == b"content-type"]
        encoded = any(name.lower() == b"content-encoding" for name, _ in headers)
        return len(types) == 1 and not encoded and is_json(types[0])

    def response(self, body: bytes) -> bytes:
        return body_to_camel(body)


def is_json(content_type: bytes) -> bool:
    """Whether a Content-Type value names JSON: application/json or a "+json" type (RFC 6839 section
    3.1).
    """
    media_type = content_type.partition(b";")[0].strip(b" \t").lower()
    return media_type == b"application/json" or media_type.endswith(b"+json")


CAMEL_CASE = Pass(convert=CamelCase(), saw="camelCase")


class KeyCase(Struct, frozen=True):
    """Converts where the header `X-Key-Case` is exactly "camelCase", sent once; any other value
    changes nothing.
    """

    name: ClassVar[str] = "key_case"
    reasons: ClassVar[tuple[Reason, ...]] = (COLLISION,)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        if facts.headers.get(b"x-key-case") != b"camelCase":
            return PASS
        if b"x-key-case" in facts.headers.repeated:
            return Pass(saw="X-Key-Case sent more than once: ignored")
        return CAMEL_CASE
