"""Contradictions within a configured profile: between the layers of one of its classes."""

from collections.abc import Collection
from typing import Any

from guarita.config.layers import METHODS
from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes, meant
from guarita.pipeline import BadOrder, check_order
from guarita.profile import RouteClass, Selection

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def no_layers(name: str, known: Collection[str]) -> str:
    """What is said of a profile without layers: perhaps one of those `known` was meant."""
    right = f"[[profile.{name}.class]] tables, or like = 'minhakonta'"
    near = meant(name, known)
    if near:
        return f"there is no profile {name!r}{near} One of your own takes {right}"
    return f"the profile {name!r} has no layers: write {right}"


def check_class(
    one: RouteClass,
    selection: tuple[Selection, ...],
    place: Place,
    profile_place: Place,
    *,
    has_routes: bool,
    routes_are_wrong: bool,
    own: bool,
    allowlists: bool,
    mistakes: Mistakes,
) -> None:
    """Whether the layers of a class fit together. `own`: the file lists them. `has_routes`: and
    routes, some of which are mistakes where `routes_are_wrong`. `allowlists`: the profile does not
    say by name that it does without.
    """
    add = mistakes.add
    layers: dict[str, Any] = {layer.name: layer for layer in one.layers}
    try:
        check_order(one.layers)
    except BadOrder as error:
        add(place, f"class {one.name!r}: {error}")
    credentials = [name for name in ("api_key", "api_key_header") if name in layers]
    if len(credentials) != 1:
        add(
            place,
            f"class {one.name!r} needs exactly one of the layers api_key and api_key_header"
            " (paths that need no key: unsafe_unguarded_paths of the site)",
        )
    if "account" not in layers and "account_header" not in layers:
        add(
            place,
            f"class {one.name!r} has neither account nor account_header: suspending an account"
            " would have no effect",
        )
    if allowlists and "address" not in layers:
        mistakes.danger(
            place,
            f"class {one.name!r} has no layer address: the keys' allowlists are not looked at",
        )
    if has_routes and "permission" not in layers:
        add(
            place,
            f"class {one.name!r} has no layer permission: the permissions of the routes would"
            " not be looked at",
        )
    elif own and "permission" not in layers:
        mistakes.danger(
            place,
            f"class {one.name!r} has no layer permission: every key may do everything here",
        )
    if "permission" in layers and not layers["permission"].table.rows and not routes_are_wrong:
        add(place, f"class {one.name!r} has the layer permission, but there is no route")
    _check_methods(one, layers, selection, place, profile_place, mistakes)


def _check_methods(
    one: RouteClass,
    layers: dict[str, Any],
    selection: tuple[Selection, ...],
    place: Place,
    profile_place: Place,
    mistakes: Mistakes,
) -> None:
    """Methods that one layer needs another to have looked at."""
    signed = layers["signature"].methods if "signature" in layers else frozenset()
    if "idempotency" in layers:
        unsigned = layers["idempotency"].methods - signed
        if unsigned and "signature" in layers:
            mistakes.add(
                (*profile_place, "idempotency", "methods"),
                f"idempotency works on {_listed(unsigned)}, which signature.methods does not"
                " sign: what is repeated cannot be told from another request",
            )
    if "key_case" in layers:
        unsigned = _methods_of(one, selection) & WITH_BODY - signed
        if "permission" in layers:  # else any method may have an operation
            unsigned &= {row.method for row in layers["permission"].table.rows}
        if unsigned:
            mistakes.add(
                place,
                f"class {one.name!r}: key_case converts bodies that signature has read, and here it"
                f" reads none of {_listed(unsigned)}",
            )


def _methods_of(one: RouteClass, selection: tuple[Selection, ...]) -> frozenset[str]:
    """The methods that can fall into a class."""
    methods: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    for row in selection:
        if row.route_class == one.name:
            methods |= (frozenset(METHODS) if row.methods is None else row.methods) - taken
        if row.path is None and row.methods is not None:
            taken |= row.methods
    return methods


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
