"""A child process: how much its resident memory grows by records in a memory store, or keys in a
verifier.

Argument: {"what": "records" or "keys", "count"}. Says {"bytes"} and ends.
"""

import gc
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from benchmarks.world import PEPPER, fill
from guarita import crypto
from guarita.addresses import AddressSet
from guarita.keyring.verifier import Verifier
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.records import Account, ApiKey, SecretHash
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring

_PART = 2000
_WARMING = 20_000


class _ManyKeys(MemoryKeyring):
    """Gives `count` keys, one account each, without keeping any."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def revision(self) -> int:
        return self._count

    def touched(self) -> tuple[int, int]:
        return 0, self._count

    def changed_since(self, revision: int) -> tuple[int, list[ApiKey]]:
        until = min(revision + _PART, self._count)
        return until, [_key(number) for number in range(revision, until)]


def _key(number: int) -> ApiKey:
    return ApiKey(
        f"cli_{number:012x}",
        Account(f"acc_{number:016x}", f"Merchant {number}"),
        (SecretHash(crypto.secret_hash(PEPPER, b"sk_%064x" % number)),),
        permissions=MINHA_KONTA.table.permissions,
        allowlist=AddressSet(
            [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "203.0.113.0/24"]
        ),
        label="production",
    )


def resident() -> int:
    """Bytes; where the system does not say, the most there ever were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def main(options: dict[str, Any]) -> None:
    count: int = options["count"]
    before_all = MemoryStore()
    fill(before_all, 10)
    Verifier(_ManyKeys(10), PEPPER)
    # What is bounded and not a key's: the cache of read addresses, and room for a part of the keys.
    for begin in range(0, _WARMING, _PART):
        _ManyKeys(_WARMING).changed_since(begin)
    gc.collect()
    before = resident()
    if options["what"] == "records":
        store = MemoryStore()
        fill(store, count)
    else:
        verifier = Verifier(_ManyKeys(count), PEPPER)
        if len(verifier) != count:
            raise SystemExit("the verifier does not know every key")
    gc.collect()
    sys.stdout.write(json.dumps({"bytes": resident() - before}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
