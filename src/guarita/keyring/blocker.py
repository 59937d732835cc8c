"""Answers `BlockKey`: a layer's decision to block a key, written down for all processes.

Blocking waits for the disk, so it happens in a thread and never on an event loop; being rare, it
needs neither queue nor batch. A key that is blocked, inactive or revoked already stays as it is.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from guarita.asks import BlockKey
from guarita.keyring.errors import NotFound
from guarita.keyring.repository import Repository
from guarita.records import ApiKey, KeyStatus

_log = logging.getLogger("guarita.keyring")


class KeyBlocker:
    """Blocks keys in a repository, durably. Thread-safe."""

    def __init__(self, repository: Repository, refresh: Callable[[], object] | None = None) -> None:
        """`refresh` is called after a change: a verifier's, so that this process need not wait for
        its next look at the store."""
        self._repository = repository
        self._refresh = refresh

    def answer(self, ask: BlockKey) -> Coroutine[Any, Any, None]:
        """Blocks `ask.key` in a thread; done when it is durable. To be awaited on an event loop.

        A cancelled caller does not stop it.

        Raises (when awaited):
            Outage: the store is out of reach.
        """
        return asyncio.to_thread(self.block, ask)

    def block(self, ask: BlockKey) -> None:
        """As `answer`, for callers without an event loop. Raises Outage."""
        # Read first: the many requests that follow the one that blocked need no transaction.
        key = self._repository.key(ask.key)
        if key is None:
            _log.error("a key that is to be blocked is not in the keyring: %s", ask.key)
            return
        if key.status is not KeyStatus.ACTIVE:
            return
        try:
            after = self._repository.update_key(ask.key, lambda k: _blocked(k, ask.reason))
        except NotFound:  # another database has taken this one's place meanwhile
            return
        if after.status is KeyStatus.BLOCKED:
            _log.warning("key %s is blocked: %s", ask.key, after.blocked_reason)
        if self._refresh is not None:
            self._refresh()


def _blocked(key: ApiKey, reason: str) -> ApiKey:
    """An active key, blocked; any other state was somebody's decision and stays."""
    if key.status is not KeyStatus.ACTIVE:
        return key
    return replace(key, status=KeyStatus.BLOCKED, blocked_reason=reason)
