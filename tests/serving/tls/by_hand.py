"""A TLS client whose bytes a test can change, split or hold back on their way."""

import socket
import ssl
from collections.abc import Callable, Iterator

Rewrite = Callable[[bytes], bytes]

HANDSHAKE = 22
CERTIFICATE, CERTIFICATE_VERIFY = 11, 15


class ByHand:
    """Python's client over two buffers; `rewrite` sees every TLS record before it is sent."""

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext,
        *,
        rewrite: Rewrite = lambda record: record,
        piece: int | None = None,
    ) -> None:
        self._socket = connection
        self._rewrite = rewrite
        self._piece = piece
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def handshake(self) -> None:
        self._until_done(self.tls.do_handshake)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self._flush()

    def receive(self) -> bytes:
        """What comes next; nothing once the server has said goodbye."""
        received: list[bytes] = []
        self._until_done(lambda: received.append(self.tls.read(65_536)))
        return received[0]

    def _until_done(self, step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._socket.recv(65_536)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return

    def _flush(self) -> None:
        data = b"".join(self._rewrite(record) for record in records(self._outgoing.read()))
        piece = self._piece or len(data) or 1
        for begin in range(0, len(data), piece):
            self._socket.sendall(data[begin : begin + piece])


def records(data: bytes) -> Iterator[bytes]:
    """The TLS records in `data`, which holds whole ones."""
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[:end]
        data = data[end:]


def rewriting(kind: int, change: Callable[[bytearray], None]) -> Rewrite:
    """Changes the handshake message of one kind, as long as it travels unencrypted (TLS 1.2). A
    test that changed nothing would prove nothing: `changed` counts."""

    def rewrite(record: bytes) -> bytes:
        if record[0] != HANDSHAKE or encrypted[0]:
            encrypted[0] = encrypted[0] or record[0] == 20  # change_cipher_spec
            return record
        altered, position = bytearray(record), 5
        while position < len(record):
            length = int.from_bytes(record[position + 1 : position + 4], "big")
            if record[position] == kind:
                message = altered[position : position + 4 + length]
                change(message)
                assert len(message) == 4 + length
                altered[position : position + 4 + length] = message
                rewrite.changed += 1  # type: ignore[attr-defined]
            position += 4 + length
        return bytes(altered)

    encrypted = [False]
    rewrite.changed = 0  # type: ignore[attr-defined]
    return rewrite
