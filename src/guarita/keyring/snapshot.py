"""All keys in memory, packed: what the verifier looks into for every request.

A key is one `bytes` object: its secret hashes in a fixed layout, for the comparison that happens on
every request, then the rest as MessagePack, decoded once the secret has proved right, then the
client_id and its length. 100,000 keys that nobody uses cost about 20 MB and are invisible to the
garbage collector.
"""

import math
from struct import Struct

import msgspec
from msgspec.structs import astuple

from guarita.addresses import AddressSet
from guarita.keyring.key_table import LONGEST_ID, ByDigest, ById, id_of
from guarita.keyring.kinds import kind_of
from guarita.keyring.packed_addresses import packed_entries, unpacked_entries
from guarita.records import (
    Account,
    AccountStatus,
    ApiKey,
    CertificateMode,
    CertificatePin,
    KeyStatus,
    SecretHash,
)

# A tag saying which layout it is, then each secret's digest and, except in `_LASTING`, its end.
_LASTING = Struct("<x32s")
_ENDING = Struct("<x32sd")
_TWO = Struct("<x32sd32sd")
_LAYOUTS = (_LASTING, _ENDING, _TWO)
_NO_END = math.inf
_ACCOUNT_STATES = tuple(AccountStatus)
_KEY_STATES = tuple(KeyStatus)
_CERTIFICATE_MODES = tuple(CertificateMode)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_Shared = tuple[str, frozenset[str], bool, frozenset[str] | None]
"""What many keys have in common: profile, permissions, signs, signature_forms."""


def packed_secrets(secrets: tuple[SecretHash, ...]) -> bytes:
    """The fixed part of a packed key: one or two secret hashes."""
    if not 1 <= len(secrets) <= 2:
        raise ValueError(f"a key has one or two secrets, not {len(secrets)}")
    first, *second = secrets
    if second:
        tag, parts = 2, [first.digest, _end(first), second[0].digest, _end(second[0])]
    elif first.valid_until is not None:
        tag, parts = 1, [first.digest, first.valid_until]
    else:
        tag, parts = 0, [first.digest]
    return bytes([tag]) + _LAYOUTS[tag].pack(*parts)[1:]


def _end(secret: SecretHash) -> float:
    return _NO_END if secret.valid_until is None else secret.valid_until


def secrets_of(packed: bytes) -> tuple[SecretHash, ...]:
    """The secret hashes of a packed key, newest first."""
    tag = packed[0]
    if tag == 0:
        return (SecretHash(packed[1:33]),)
    if tag == 1:
        return (SecretHash(*_ENDING.unpack_from(packed)),)
    digest, end, former, former_end = _TWO.unpack_from(packed)
    return (
        SecretHash(digest, None if end == _NO_END else end),
        SecretHash(former, None if former_end == _NO_END else former_end),
    )


NOBODY = packed_secrets((SecretHash(bytes(32)),))
"""Stands in for the key of an unknown id, so that the same work is done for it."""


class Snapshot:
    """The keys of one moment, replaced entry by entry: whoever reads meanwhile sees a key as it was
    or as it is, never half of it.

    Attributes:
        by_id: packed keys, of those that are called by their client_id.
    """

    def __init__(self) -> None:
        self.by_id = ById()
        # Of keys found by their secret.
        self._singles = ById()
        self._newest = ByDigest()
        self._former: dict[bytes, bytes] = {}  # digest → packed key, while it is being rotated
        self._shared: list[_Shared] = []
        self._number_of: dict[_Shared, int] = {}

    def by_digest(self, digest: bytes) -> bytes | None:
        """The packed key, of those found by their secret, one of whose digests this is."""
        return self._former.get(digest) or self._newest.get(digest)

    def digests(self) -> set[bytes]:
        """By which digests keys are found."""
        return {*self._newest, *self._former}

    def put(self, key: ApiKey) -> bytes | None:
        """Adds or replaces `key`; returns what was there, packed.

        Raises:
            ValueError: the client_id is longer than 255 bytes.
        """
        before, packed = self.packed(key.client_id.encode()), self._pack(key)
        if kind_of(key.profile).found_by_secret:
            self._singles.put(packed)
            self._newest.put(packed)
            newest, *former = [secret.digest for secret in key.secrets]
            self._former.update(dict.fromkeys(former, packed))
            for number, secret in enumerate(secrets_of(before) if before is not None else ()):
                if number and secret.digest not in former:
                    self._former.pop(secret.digest, None)
                elif not number and secret.digest != newest:
                    self._newest.remove(secret.digest)
        else:
            self.by_id.put(packed)
        return before

    def packed(self, client_id: bytes) -> bytes | None:
        """The packed key with this id, whichever kind it is."""
        return self.by_id.get(client_id) or self._singles.get(client_id)

    def __len__(self) -> int:
        return len(self.by_id) + len(self._singles)

    def _pack(self, key: ApiKey) -> bytes:
        client_id = key.client_id.encode()
        if len(client_id) > LONGEST_ID:
            raise ValueError(f"a client_id has at most 255 bytes, this one {len(client_id)}")
        shared = (key.profile, key.permissions, key.signs, key.signature_forms)
        number = self._number_of.get(shared)
        if number is None:
            number = self._number_of[shared] = len(self._shared)
            self._shared.append(shared)
        rest = (
            key.account.account_id,
            key.account.name,
            _ACCOUNT_STATES.index(key.account.status),
            number,
            _KEY_STATES.index(key.status),
            key.blocked_reason,
            key.expires_at,
            packed_entries(key.allowlist.entries),
            key.label,
            # Half the size, where it is a whole number of seconds.
            int(key.created_at) if key.created_at.is_integer() else key.created_at,
            _packed_certificates(key),
        )
        end = client_id + bytes([len(client_id)])
        return packed_secrets(key.secrets) + _encode(rest) + end

    def unpack(self, packed: bytes) -> ApiKey:
        """The key that was packed."""
        client_id = id_of(packed)
        packed_rest = packed[_LAYOUTS[packed[0]].size : -1 - len(client_id)]
        account_id, name, account_state, number, state, *rest = _decode(packed_rest)
        blocked_reason, expires_at, addresses, label, created_at, certificates = rest
        mode, pins, shown = certificates or (0, (), "")
        profile, permissions, signs, signature_forms = self._shared[number]
        return ApiKey(
            client_id=client_id.decode(),
            account=Account(account_id, name, _ACCOUNT_STATES[account_state]),
            secrets=secrets_of(packed),
            profile=profile,
            status=_KEY_STATES[state],
            blocked_reason=blocked_reason,
            expires_at=expires_at,
            permissions=permissions,
            # Whether everybody may be allowed was decided when the entry was saved.
            allowlist=AddressSet(unpacked_entries(addresses), unsafe_any=True),
            signs=signs,
            signature_forms=signature_forms,
            label=label,
            created_at=float(created_at),
            certificate_mode=_CERTIFICATE_MODES[mode],
            certificates=tuple(CertificatePin(*pin) for pin in pins),
            shown=shown,
        )


def _packed_certificates(key: ApiKey) -> tuple[object, ...] | None:
    """What only keys with certificates have; None, one byte, for all others."""
    mode = _CERTIFICATE_MODES.index(key.certificate_mode)
    if not (mode or key.certificates or key.shown):
        return None
    return mode, [astuple(pin) for pin in key.certificates], key.shown
