"""What Guarita's contenders stand on: the keys of `material` in a data folder or in memory, and the
profile with a run's limit.
"""

from pathlib import Path

from benchmarks.contenders.material import ALLOWED, KNOWN
from guarita import crypto
from guarita.addresses import AddressSet
from guarita.data_folder import DataFolder
from guarita.keyring.repository import Repository
from guarita.keyring.verifier import Verifier
from guarita.layers.rate_limit import RateLimit
from guarita.outage import ADMIT
from guarita.profile import Profile
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.records import Account, ApiKey, KeyStatus, SecretHash
from guarita.serving.backend import Backend
from guarita.stores.memory import MemoryStore
from guarita.stores.memory_keyring import MemoryKeyring

PEPPER = bytes(range(32))
"""Of the middleware; the gateway makes its own in its data folder."""


def profile(limit: int) -> Profile:
    """Minha Konta's, with another limit."""
    return MINHA_KONTA.with_layers(RateLimit(limit, window_s=60, on_outage=ADMIT))


def prepare(folder: Path) -> None:
    """Make a data folder with the keys of `material`, as the command line would."""
    with DataFolder(folder, environ={}) as data:
        _insert(data.repository, data.pepper)


def _insert(repository: Repository, pepper: bytes) -> None:
    for key in KNOWN:
        account = Account(key.account_id, f"Merchant {key.account_id[-4:]}")
        repository.insert_account(account)
        repository.insert_key(
            ApiKey(
                key.client_id,
                account,
                (SecretHash(crypto.secret_hash(pepper, key.secret.encode())),),
                status=KeyStatus.ACTIVE if key.active else KeyStatus.REVOKED,
                permissions=key.permissions,
                allowlist=AddressSet(ALLOWED),
            )
        )


def backend() -> Backend:
    """Everything in memory."""
    repository = MemoryKeyring()
    _insert(repository, PEPPER)
    memory = MemoryStore()
    return Backend(Verifier(repository, PEPPER), memory, memory)
