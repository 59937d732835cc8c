"""Makes the cases that `tests/vectors/minhakonta/order.json` implies, per route class."""

import msgspec

from tests.vectors_minhakonta import Case, Request, VectorFile, Want, read
from tests.vectors_order import Exclusive, alone_and_paired, faulty
from tests.vectors_order import Fault as AnyFault

WHOLE = ("record", "body")


class Fault(AnyFault, frozen=True, kw_only=True):
    """`change` is made to the good request of each of `classes`."""

    step: int  # of the page's eight; 0 = before them
    classes: tuple[str, ...]
    want: Want


class OrderFile(VectorFile, frozen=True, kw_only=True):
    """`order`: fault names per route class, earliest first."""

    classes: dict[str, Request]
    order: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...]
    exclusive: tuple[Exclusive, ...]


def load_order() -> OrderFile:
    """`order.json`. Raises `msgspec.ValidationError` with the path of what does not fit."""
    return msgspec.convert(read("order"), OrderFile)


def order_cases() -> list[Case]:
    """Per route class every fault alone, and every pair that can coexist, expecting the earlier."""
    file = load_order()
    cases = []
    for route, order in file.order.items():
        by_name = {fault.name: fault for fault in file.faults if route in fault.classes}
        for faults in alone_and_paired(file, [by_name[name] for name in order]):
            raw = faulty(route, file.classes[route], faults, whole=WHOLE)
            cases.append(msgspec.convert(raw, Case))
    return cases
