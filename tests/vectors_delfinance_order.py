"""Makes the cases that `tests/vectors/delfinance/order.json` implies.

Per environment: every fault alone, and every pair of faults that can coexist, each expecting the
earlier fault's answer.
"""

import itertools
from typing import Any

import msgspec

from tests.vectors_delfinance import Case, Data, Request, VectorFile, Want, read


class Fault(Data, frozen=True, kw_only=True):
    """One way to fail, named layer.reason; where a reason has several ways, "layer.reason/way".

    `change` = {"given": {…}, "request": {…}}, made to the good request; `certificate` members are
    put over those of the good certificate. The request part may hold `drop_headers`, `set_headers`
    (replaces the name) and `add_headers`.
    """

    name: str
    source: str
    change: dict[str, dict[str, Any]]
    want: Want


class Exclusive(Data, frozen=True, kw_only=True):
    """Faults of which a request can have only one. "layer.*" names all of a layer's."""

    faults: tuple[str, ...]
    reason: str


class OrderFile(VectorFile, frozen=True, kw_only=True):
    """`faults`: earliest first. `skipped`: the layers an environment does not have."""

    skipped: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...]
    exclusive: tuple[Exclusive, ...]

    def of(self, environment: str) -> list[Fault]:
        """The faults an environment can answer, earliest first."""
        skipped = self.skipped[environment]
        return [fault for fault in self.faults if fault.want.layer not in skipped]


def load_order() -> OrderFile:
    """`order.json`. Raises `msgspec.ValidationError` with the path of what does not fit."""
    return msgspec.convert(read("order"), OrderFile)


def exclusive_pair(file: OrderFile, one: str, two: str) -> bool:
    return any(_in(one, group) and _in(two, group) for group in file.exclusive)


def _in(name: str, group: Exclusive) -> bool:
    return name in group.faults or f"{name.partition('.')[0]}.*" in group.faults


def order_cases() -> list[Case]:
    """Per environment every fault alone, and every pair that can coexist, expecting the earlier."""
    file = load_order()
    cases = []
    for environment in file.skipped:
        faults = file.of(environment)
        cases += [_faulty(environment, fault) for fault in faults]
        cases += [
            _faulty(environment, first, then)
            for first, then in itertools.combinations(faults, 2)
            if not exclusive_pair(file, first.name, then.name)
        ]
    return cases


def _faulty(environment: str, *faults: Fault) -> Case:
    """The good request with the faults; the first of them must be answered."""
    given: dict[str, Any] = {"environment": environment}
    request: dict[str, Any] = msgspec.to_builtins(Request())
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
    raw = {
        "id": f"order-{environment}-" + "-over-".join(fault.name for fault in faults),
        "source": "; ".join(dict.fromkeys(fault.source for fault in faults)),
        "given": given,
        "steps": [
            {"request": request, "want": msgspec.to_builtins(faults[0].want), "app_calls": 0}
        ],
    }
    return msgspec.convert(raw, Case)


def _touches(change: dict[str, dict[str, Any]]) -> set[str]:
    """Names of what a fault changes: two faults must not overwrite each other unnoticed."""
    names = set()
    for member, value in change.get("given", {}).items():
        if isinstance(value, dict):
            names |= {f"given.{member}.{inner}" for inner in value}
        else:
            names.add(f"given.{member}")
    for member, value in change.get("request", {}).items():
        if member == "drop_headers":
            names |= {f"header {name}" for name in value}
        elif member in ("set_headers", "add_headers"):
            names |= {f"header {name}" for name, _ in value}
        elif isinstance(value, dict):
            names |= {f"request.{member}.{inner}" for inner in value}
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
    _merge(request, {name: value for name, value in change.items() if name not in listed})
