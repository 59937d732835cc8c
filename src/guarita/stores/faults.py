"""Refused attempts per key and address: the bound every store keeps, and the count in memory."""

from guarita.asks import CountFault, Faults, FaultsOf
from guarita.stores.windows import Windows

MOST_ADDRESSES = 1_000
"""Addresses told apart per key and window. One that comes after these is counted for the key, but
not by itself: its own count is 1 when it is counted, and 0 when it is only asked for."""

NO_FAULTS = Faults(0, 0, 0)


class _OfKey:
    """The refused attempts with one key in one window."""

    __slots__ = ("by_address", "total")

    def __init__(self) -> None:
        self.total = 0
        self.by_address: dict[str, int] = {}


class FaultCounter:
    """Counts refused attempts in memory. Not thread-safe; memory is bounded by the number of keys,
    and is given back a few keys at a time.
    """

    def __init__(self) -> None:
        self._windows: dict[int, Windows[_OfKey]] = {}

    def count(self, ask: CountFault) -> Faults:
        number = ask.at // ask.window_s
        windows = self._windows.get(ask.window_s)
        if windows is None:
            windows = self._windows[ask.window_s] = Windows(number)
        keys = windows.newest if number == windows.newest_number else windows.at(number)
        of_key = keys.get(ask.key)
        if of_key is None:
            of_key = keys[ask.key] = _OfKey()
        of_key.total += 1
        by_address = of_key.by_address
        of_address = by_address.get(ask.address, 0) + 1
        if of_address > 1 or len(by_address) < MOST_ADDRESSES:
            by_address[ask.address] = of_address
        if windows.forgotten:
            windows.forget()
        return Faults(of_address, of_key.total, len(by_address))

    def of(self, ask: FaultsOf) -> Faults:
        windows = self._windows.get(ask.window_s)
        keys = None if windows is None else windows.of(ask.at // ask.window_s)
        of_key = None if keys is None else keys.get(ask.key)
        if of_key is None:
            return NO_FAULTS
        by_address = of_key.by_address
        return Faults(by_address.get(ask.address, 0), of_key.total, len(by_address))

    def clear(self) -> None:
        self._windows.clear()
