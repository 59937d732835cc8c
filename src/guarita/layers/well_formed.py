"""Header values must be one line: a CR, LF or NUL inside the header block is refused, never
repaired.

Servers that parse HTTP themselves rarely let such bytes through; an ASGI server, a test client or a
proxy may. What the `base64` command without `-w0` makes of the seed's example (seed L47) arrives
like this.
"""

from typing import Any, ClassVar

from msgspec import Struct

from guarita.decision import PASS, Known, Reason, Refuse, Verdict
from guarita.facts import Facts

CONTROL_CHARACTER = Reason("well_formed", "control_character")


class WellFormed(Struct, frozen=True):
    """Refuses CR, LF and NUL in header names and values (RFC 9110 section 5.5)."""

    name: ClassVar[str] = "well_formed"
    reasons: ClassVar[tuple[Reason, ...]] = (CONTROL_CHARACTER,)
    needs: ClassVar[tuple[type[Any], ...]] = ()
    gives: ClassVar[type[Any] | None] = None

    def check(self, facts: Facts, known: Known) -> Verdict:
        block = facts.headers.block
        if b"\n" in block or b"\r" in block or b"\0" in block:
            guilty = [
                name[:64].decode("latin-1")
                for name, value in facts.headers.pairs
                if any(byte in name + value for byte in b"\r\n\0")
            ]
            return Refuse(CONTROL_CHARACTER, saw=guilty[:10])
        return PASS
