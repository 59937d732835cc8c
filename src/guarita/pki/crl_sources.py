"""Where revocation lists come from: files, read again when they change, and URLs, fetched at
intervals. A source that turns bad keeps the lists it gave before.
"""

import logging
import os
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from http.client import HTTPException
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

from guarita.pki.crl import CrlError, RevocationList

Read = Callable[[bytes, str], list[RevocationList]]
"""Reads and checks the lists in some bytes; the text names their source. Raises CrlError."""

_log = logging.getLogger("guarita.pki")
_LONGEST = 64 * 1024 * 1024
_READ_S = 10.0
_WHOLE_S = 60.0


class Source(ABC):
    """What a file or URL gave last.

    Attributes:
        name: the file's path or the URL.
        lists: what it gave last.
        problem: what is wrong with it now, "" when nothing is.
    """

    def __init__(self, name: str, read: Read) -> None:
        self.name = name
        self.lists: Sequence[RevocationList] = ()
        self.problem = ""
        self._read = read

    @abstractmethod
    def refresh(self) -> bool:
        """Reads it again if it changed or is due; whether there are new lists. Never raises: what
        is wrong is in `problem`, and logged when it begins.
        """

    def _failed(self, problem: str) -> bool:
        if problem != self.problem:
            _log.warning("revocation list not taken: %s", problem)
        self.problem = problem
        return False


class FileSource(Source):
    """A file. What an operator puts there counts, an older list included."""

    _seen: tuple[int, int, int] | None = None

    def refresh(self) -> bool:
        try:
            now = os.stat(self.name)
            seen = (now.st_mtime_ns, now.st_size, now.st_ino)
            if seen == self._seen and not self.problem:
                return False
            data = Path(self.name).read_bytes()
        except OSError as error:
            return self._failed(f"{self.name}: cannot be read: {error.strerror}")
        try:
            self.lists = self._read(data, self.name)
        except CrlError as error:
            return self._failed(str(error))
        self._seen, self.problem = seen, ""
        return True


class UrlSource(Source):
    """A URL, fetched every `every_s` seconds and when its list ends, after a failure every
    `retry_s`. A list older than the one in force is refused: whoever stands between could bring
    revoked certificates back with it.
    """

    def __init__(
        self,
        url: str,
        read: Read,
        *,
        every_s: float,
        retry_s: float,
        clock: Callable[[], float],
        fetch: Callable[[str], bytes],
    ) -> None:
        """Raises CrlError: `url` is not http(s), or holds a password."""
        if not url.startswith(("http://", "https://")):
            raise CrlError("the URL of a revocation list begins with http:// or https://")
        if "@" in urlsplit(url).netloc:
            raise CrlError(
                f"a revocation list's URL ({urlsplit(url).hostname}) must not hold a user name or "
                "password: it appears in logs"
            )
        super().__init__(url, read)
        self._every_s, self._retry_s = every_s, retry_s
        self._clock = clock
        self._fetch = fetch
        self._due = -inf

    def refresh(self) -> bool:
        now = self._clock()
        if now < self._due:
            return False
        self._due = now + self._retry_s
        try:
            data = self._fetch(self.name)
        except (OSError, ValueError, HTTPException) as error:
            return self._failed(f"{self.name}: cannot be fetched: {error}")
        try:
            lists = self._read(data, self.name)
        except CrlError as error:
            return self._failed(str(error))
        had = {each.issuer: each.this_update for each in self.lists}
        if any(each.this_update < had.get(each.issuer, -inf) for each in lists):
            return self._failed(f"{self.name}: older than the list in force")
        self.lists, self.problem = lists, ""
        ends = min(each.next_update for each in lists)
        self._due = min(now + self._every_s, max(ends, now + self._retry_s))
        return True


def fetch_list(url: str) -> bytes:
    """What `url` (http or https) holds: at most 64 MiB, within a minute.

    Raises:
        OSError, HTTPException: it cannot be reached. ValueError: it is too long or too slow.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "guarita"})  # noqa: S310
    ends = time.monotonic() + _WHOLE_S
    data = bytearray()
    with _opener.open(request, timeout=_READ_S) as answer:
        while part := answer.read1(65_536):
            data += part
            if len(data) > _LONGEST:
                raise ValueError(f"longer than {_LONGEST} bytes")
            if time.monotonic() > ends:
                raise ValueError(f"not there within {_WHOLE_S:.0f} seconds")
    return bytes(data)


def _http_only() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


_opener = _http_only()
