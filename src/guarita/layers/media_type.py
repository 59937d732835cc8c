"""The request's Content-Type must be one the API reads (seed L13, L118, L211-224). Only methods
that carry a body are looked at.
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import PASS, Known, Pass, Reason, Refuse, Verdict
from guarita.facts import Facts

UNSUPPORTED = Reason("media_type", "unsupported")


class MediaType(Struct, frozen=True):
    """Refuses POST, PUT and PATCH without an accepted Content-Type, body or not. Parameters and
    letter case do not matter; a repeated header is as good as none.

    Attributes:
        accepted: media types in lower case, without parameters.
        methods: the methods it looks at.
    """

    accepted: frozenset[bytes]
    methods: frozenset[str] = frozenset({"POST", "PUT", "PATCH"})

    name: ClassVar[str] = "media_type"
    reasons: ClassVar[tuple[Reason, ...]] = (UNSUPPORTED,)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        if facts.method not in self.methods:
            return PASS
        value = facts.headers.get(b"content-type")
        if value is None:
            return Refuse(UNSUPPORTED, saw="no Content-Type header")
        if b"content-type" in facts.headers.repeated:
            return Refuse(UNSUPPORTED, saw="Content-Type sent more than once")
        if value not in self.accepted:
            media_type = value.partition(b";")[0].strip(b" \t").lower()
            if media_type not in self.accepted:
                return Refuse(UNSUPPORTED, saw=value[:100].decode("latin-1"))
        return Pass(saw=value[:100].decode("latin-1"))
