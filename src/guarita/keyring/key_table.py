"""Hash tables of packed keys. What a key is looked up by is read out of the packed key itself, so
that a table takes 13 to 32 bytes per key, where a dict with an object for each id takes some 120.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

_FEWEST_SLOTS = 8
_REMOVED = b"\xff"  # like no packed key; keeps later entries within reach
_DIGEST = slice(1, 33)

LONGEST_ID = 255
"""Bytes of a client_id: its length is the last byte of a packed key, after the id."""


def id_of(packed: bytes) -> bytes:
    """The client_id of a packed key."""
    return packed[-1 - packed[-1] : -1]


_Slots = list[bytes | None]


class KeyTable(ABC):
    """Packed keys by something that they contain; iterates over that. One thread changes it; others
    may read meanwhile, and find each entry as it was or as it is.

    Open addressing: where a slot is taken, the next one is tried. At least three of eight are free.
    """

    def __init__(self) -> None:
        # Which bits of a hash are the number of its slot, and the slots. Replaced as a whole when
        # they become more: a reader has either.
        self._table: tuple[int, _Slots] = _FEWEST_SLOTS - 1, [None] * _FEWEST_SLOTS
        self._taken = 0  # slots, those of removed entries included
        self._count = 0

    @abstractmethod
    def get(self, key: bytes) -> bytes | None:
        """The packed key that is found by `key`."""

    @abstractmethod
    def key_of(self, packed: bytes) -> bytes:
        """What `packed` is found by."""

    def put(self, packed: bytes) -> None:
        """Enter a packed key, or replace the one that is found by the same."""
        if (self._taken + 1) * 8 > len(self._table[1]) * 5:
            self._make_room()
        slots = self._table[1]
        slot = self._slot_of(slots, self.key_of(packed))
        if slots[slot] is None:
            self._taken += 1
            self._count += 1
        slots[slot] = packed

    def remove(self, key: bytes) -> None:
        """Nothing is found by `key` any more."""
        slots = self._table[1]
        slot = self._slot_of(slots, key)
        if slots[slot] is not None:
            slots[slot] = _REMOVED
            self._count -= 1

    def __iter__(self) -> Iterator[bytes]:
        return map(self.key_of, self._packed())

    def __len__(self) -> int:
        return self._count

    def _packed(self) -> list[bytes]:
        return [
            packed for packed in self._table[1] if packed is not None and packed is not _REMOVED
        ]

    def _make_room(self) -> None:
        size = _FEWEST_SLOTS
        while size < 2 * (self._count + 1):
            size *= 2
        slots: _Slots = [None] * size
        for packed in self._packed():
            slots[self._slot_of(slots, self.key_of(packed))] = packed
        self._table, self._taken = (size - 1, slots), self._count

    def _slot_of(self, slots: _Slots, key: bytes) -> int:
        """The slot that `key` has or would get."""
        last_bits = len(slots) - 1
        slot = hash(key) & last_bits
        while (packed := slots[slot]) is not None:
            if packed is not _REMOVED and self.key_of(packed) == key:
                break
            slot = slot + 1 & last_bits
        return slot


class ById(KeyTable):
    """Packed keys by client_id."""

    def get(self, key: bytes) -> bytes | None:
        last_bits, slots = self._table
        slot = hash(key) & last_bits
        while (packed := slots[slot]) is not None:
            if packed.endswith(key, 0, -1) and packed[-1] == len(key):
                return packed
            slot = slot + 1 & last_bits
        return None

    def key_of(self, packed: bytes) -> bytes:
        return id_of(packed)


class ByDigest(KeyTable):
    """Packed keys by their newest secret's digest, of 32 bytes."""

    def get(self, key: bytes) -> bytes | None:
        last_bits, slots = self._table
        slot = hash(key) & last_bits
        while (packed := slots[slot]) is not None:
            if packed.startswith(key, 1):
                return packed
            slot = slot + 1 & last_bits
        return None

    def key_of(self, packed: bytes) -> bytes:
        return packed[_DIGEST]
