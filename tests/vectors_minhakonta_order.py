"""Makes the cases that `tests/vectors/minhakonta/order.json` implies.

Per route class: every fault alone, and every pair of faults that can coexist, each expecting the
earlier fault's answer.
"""

import itertools
from typing import Any, Literal

import msgspec

from tests.vectors_minhakonta import Case, Data, Request, VectorFile, Want, read


class Fault(Data, frozen=True, kw_only=True):
    """One way to fail, named layer.reason.

    `change` = {"given": {…}, "request": {…}}, made to the good request of each of `classes`; its
    request part may hold `drop_headers`, `set_headers` (replaces the name), `add_headers` and
    members of `Request`.
    """

    name: str
    step: int  # of the page's eight; 0 = before them
    source: str
    classes: tuple[str, ...]
    change: dict[str, dict[str, Any]]
    want: Want
    carried_by: tuple[Literal["core", "asgi"], ...] | None = None


class Exclusive(Data, frozen=True, kw_only=True):
    """Faults of which a request can have only one."""

    faults: tuple[str, ...]
    reason: str


class OrderFile(VectorFile, frozen=True, kw_only=True):
    """`order`: fault names per route class, earliest first."""

    classes: dict[str, Request]
    order: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...]
    exclusive: tuple[Exclusive, ...]


def load_order() -> OrderFile:
    """`order.json`. Raises `msgspec.ValidationError` with the path of what does not fit."""
    return msgspec.convert(read("order"), OrderFile)


def exclusive_pair(file: OrderFile, one: str, two: str) -> bool:
    return any(one in group.faults and two in group.faults for group in file.exclusive)


def order_cases() -> list[Case]:
    """Per route class every fault alone, and every pair that can coexist, expecting the earlier."""
    file = load_order()
    cases = []
    for route, order in file.order.items():
        by_name = {fault.name: fault for fault in file.faults if route in fault.classes}
        for name in order:
            cases.append(_faulty(file, route, by_name[name]))
        for first, then in itertools.combinations(order, 2):
            if not exclusive_pair(file, first, then):
                cases.append(_faulty(file, route, by_name[first], by_name[then]))
    return cases


def _faulty(file: OrderFile, route: str, *faults: Fault) -> Case:
    """The good request of a route class with the faults; the first of them must be answered."""
    given: dict[str, Any] = {}
    request: dict[str, Any] = msgspec.to_builtins(file.classes[route])
    touched: set[str] = set()
    for fault in faults:
        own = _touches(fault.change)
        if both := touched & own:
            raise ValueError(
                f"{[f.name for f in faults]} both change {sorted(both)}: not exclusive?"
            )
        touched |= own
        _merge(given, fault.change.get("given", {}))
        _apply(request, fault.change.get("request", {}))
    carriers = [fault.carried_by for fault in faults if fault.carried_by is not None]
    names = "-over-".join(fault.name for fault in faults)
    raw = {
        "id": f"order-{route}-{names}",
        "source": "; ".join(dict.fromkeys(fault.source for fault in faults)),
        "given": given,
        "carried_by": carriers[0] if carriers else None,
        "steps": [
            {"request": request, "want": msgspec.to_builtins(faults[0].want), "app_calls": 0}
        ],
    }
    return msgspec.convert(raw, Case)


def _touches(change: dict[str, dict[str, Any]]) -> set[str]:
    """Names of what a fault changes: two faults must not overwrite each other unnoticed."""
    names = set()
    for member, value in change.get("given", {}).items():
        if isinstance(value, dict) and member != "record":
            names |= {f"given.{member}.{inner}" for inner in value}
        else:
            names.add(f"given.{member}")
    for member, value in change.get("request", {}).items():
        if member == "drop_headers":
            names |= {f"header {name}" for name in value}
        elif member in ("set_headers", "add_headers"):
            names |= {f"header {name}" for name, _ in value}
        else:
            names.add(f"request.{member}")
    return names


def _merge(into: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            into[name] = into[name] | value
        else:
            into[name] = value


def _apply(request: dict[str, Any], change: dict[str, Any]) -> None:
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
    request.update({name: value for name, value in change.items() if name not in listed})
