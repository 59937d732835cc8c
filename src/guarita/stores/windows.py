"""Counts of fixed windows in memory, for `MemoryStore`."""

from typing import Generic, TypeVar

T = TypeVar("T")

_HITS_FORGOTTEN_PER_HIT = 4


class Windows(Generic[T]):
    """What is counted per key in windows of one length: the window begun last, and one more, for
    the stragglers around a window's edge.
    """

    __slots__ = ("_other", "_other_number", "forgotten", "newest", "newest_number")

    def __init__(self, number: float) -> None:
        self.newest_number = number
        self.newest: dict[str, T] = {}
        self._other_number = number
        self._other: dict[str, T] = {}
        self.forgotten: list[dict[str, T]] = []

    def at(self, number: float) -> dict[str, T]:
        """The hits of window `number`; begins it where it is neither of the two."""
        if number == self._other_number:
            return self._other
        # The later one of the two stays, so that one straggler from long ago, or a clock set back,
        # loses no count.
        if self.newest_number >= self._other_number:
            self.newest, self._other = self._other, self.newest
            self._other_number = self.newest_number
        if self.newest:
            self.forgotten.append(self.newest)
        self.newest_number = number
        self.newest = {}
        return self.newest

    def of(self, number: float) -> dict[str, T] | None:
        """The hits of window `number`, if it is one of the two; begins none."""
        if number == self.newest_number:
            return self.newest
        return self._other if number == self._other_number else None

    def forget(self) -> None:
        """Take a few hits out of the windows that are over: freeing a large dict at once would be
        a pause.
        """
        for _ in range(_HITS_FORGOTTEN_PER_HIT):
            if not self.forgotten:
                return
            if self.forgotten[-1]:
                self.forgotten[-1].popitem()
            else:
                self.forgotten.pop()
