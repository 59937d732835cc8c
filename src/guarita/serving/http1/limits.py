"""How much a client may send, and how long it may take."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """The limits of one listener. Sizes are bytes, times are seconds.

    Times are kept by a coarse tick: one is never cut short, and may last up to two ticks longer.

    Attributes:
        target_bytes: longest request target (RFC 9112, 3: at least 8000 are recommended).
        head_bytes: longest request line and header block together.
        header_count: most header fields.
        body_bytes: longest body that is collected (`Request.read_body`, `Request.whole`).
        stream_bytes: longest body that is streamed; None for no limit.
        drain_bytes: how much of a body nobody asked for is read, to keep the connection.
        head_s: from a request's first byte to the end of its head.
        idle_s: between two requests, and before the first.
        body_s: between two pieces of a body.
        total_s: from a request's head to the end of its body.
        write_s: without the client taking anything of what is to be sent.
        linger_s: how long a client that was refused for its bytes may go on sending before the
            connection is closed under it.
        per_address: connections at a time from one address (IPv6: one /64 network).
        connections: connections at a time in all.
        pipelined: requests of one connection that are answered in a row before others get a turn.
    """

    target_bytes: int = 8192
    head_bytes: int = 65_536
    header_count: int = 100
    body_bytes: int = 1_048_576
    stream_bytes: int | None = None
    drain_bytes: int = 65_536
    head_s: float = 10.0
    idle_s: float = 75.0
    body_s: float = 30.0
    total_s: float = 120.0
    write_s: float = 30.0
    linger_s: float = 2.0
    per_address: int = 1024
    connections: int = 10_000
    pipelined: int = 16

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "stream_bytes" and value is None:
                continue
            if name.endswith("_s") and name != "linger_s":
                if value <= 0:
                    raise ValueError(f"{name}: {value!r} is not more than 0")
                continue
            least = 0 if name in ("body_bytes", "stream_bytes", "drain_bytes", "linger_s") else 1
            if value < least:
                raise ValueError(f"{name}: {value!r} is less than {least}")
