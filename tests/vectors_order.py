"""How the cases come about that an `order.json` implies: every fault alone, and every pair that can
coexist, each expecting the earlier fault's answer.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from tests.vectors_common import Data, Door


class Fault(Data, frozen=True, kw_only=True):
    """One way to fail, named layer.reason; where a reason has several ways, "layer.reason/way".

    `change` = {"given": {…}, "request": {…}}, made to a good request: members that are objects are
    put over the good ones. The request part may hold `drop_headers`, `set_headers` (replaces the
    name) and `add_headers`.
    """

    name: str
    source: str
    change: dict[str, dict[str, Any]]
    want: Any  # the page's own `Want`
    carried_by: tuple[Door, ...] | None = None


class Exclusive(Data, frozen=True, kw_only=True):
    """Faults of which a request can have only one. "layer.*" names all of a layer's."""

    faults: tuple[str, ...]
    reason: str

    def names(self, fault: str) -> bool:
        return fault in self.faults or f"{fault.partition('.')[0]}.*" in self.faults


class Excludes(Protocol):
    """An `order.json`."""

    @property
    def exclusive(self) -> tuple[Exclusive, ...]: ...


Some = TypeVar("Some", bound=Fault)


def exclusive_pair(file: Excludes, one: str, two: str) -> bool:
    return any(group.names(one) and group.names(two) for group in file.exclusive)


def alone_and_paired(file: Excludes, faults: Sequence[Some]) -> Iterator[tuple[Some, ...]]:
    """Every fault alone, then every pair that can coexist; `faults`: earliest first."""
    for fault in faults:
        yield (fault,)
    for first, then in itertools.combinations(faults, 2):
        if not exclusive_pair(file, first.name, then.name):
            yield first, then


def faulty(
    place: str,
    good: Data,
    faults: Sequence[Fault],
    *,
    given: dict[str, Any] | None = None,
    whole: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A case as JSON: the good request with the faults, of which the first must be answered.

    `place`: what the order is that of, for the case's id. `given`: the world before the faults.
    `whole`: members that are objects but replaced as a whole.
    """
    given = dict(given or {})
    request: dict[str, Any] = msgspec.to_builtins(good)
    touched: set[str] = set()
    for fault in faults:
        own = _touches(fault.change, whole)
        if both := touched & own:
            raise ValueError(
                f"{[f.name for f in faults]} both change {sorted(both)}: not exclusive?"
            )
        touched |= own
        _merge(given, fault.change.get("given", {}), whole)
        _apply(request, fault.change.get("request", {}), whole)
    carriers = [fault.carried_by for fault in faults if fault.carried_by is not None]
    return {
        "id": f"order-{place}-" + "-over-".join(fault.name for fault in faults),
        "source": "; ".join(dict.fromkeys(fault.source for fault in faults)),
        "given": given,
        "carried_by": carriers[0] if carriers else None,
        "steps": [
            {"request": request, "want": msgspec.to_builtins(faults[0].want), "app_calls": 0}
        ],
    }


def _touches(change: dict[str, dict[str, Any]], whole: tuple[str, ...]) -> set[str]:
    """Names of what a fault changes: two faults must not overwrite each other unnoticed."""
    names = set()
    for part in ("given", "request"):
        for member, value in change.get(part, {}).items():
            if member == "drop_headers":
                names |= {f"header {name}" for name in value}
            elif member in ("set_headers", "add_headers"):
                names |= {f"header {name}" for name, _ in value}
            elif isinstance(value, dict) and member not in whole:
                names |= {f"{part}.{member}.{inner}" for inner in value}
            else:
                names.add(f"{part}.{member}")
    return names


def _merge(into: dict[str, Any], change: dict[str, Any], whole: tuple[str, ...]) -> None:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict) and name not in whole:
            into[name] = into[name] | value
        else:
            into[name] = value


def _apply(request: dict[str, Any], change: dict[str, Any], whole: tuple[str, ...]) -> None:
    dropped = {
        *change.get("drop_headers", ()),
        *(name for name, _ in change.get("set_headers", ())),
    }
    request["headers"] = [
        *(pair for pair in request["headers"] if pair[0] not in dropped),
        *change.get("set_headers", ()),
        *change.get("add_headers", ()),
    ]
    listed = ("drop_headers", "set_headers", "add_headers")
    _merge(request, {name: change[name] for name in change if name not in listed}, whole)
