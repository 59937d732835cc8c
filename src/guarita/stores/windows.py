"""Hits of fixed windows in memory, for `MemoryStore`."""

_HITS_FORGOTTEN_PER_HIT = 4


class Windows:
    """The hits of one window length: the window begun last, and one more, for the stragglers
    around a window's edge.
    """

    __slots__ = ("_other", "_other_number", "forgotten", "newest", "newest_number")

    def __init__(self, number: float) -> None:
        self.newest_number = number
        self.newest: dict[str, int] = {}
        self._other_number = number
        self._other: dict[str, int] = {}
        self.forgotten: list[dict[str, int]] = []

    def at(self, number: float) -> dict[str, int]:
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

    def forget(self) -> None:
        """Take a few hits out of the windows that are over: freeing a large dict at once would be
        a pause.
        """
        oldest = self.forgotten[-1]
        for _ in range(_HITS_FORGOTTEN_PER_HIT):
            if not oldest:
                self.forgotten.pop()
                return
            oldest.popitem()
