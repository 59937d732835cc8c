"""The routes of a configured profile, each checked for itself and against those before it."""

import re
from collections.abc import Callable, Sequence

from guarita.config.layers import method
from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes
from guarita.config.profile_settings import RouteSettings
from guarita.routes import RouteTable, Row

_PERMISSION = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
_PARAMETER = re.compile("/:[^/]*")


def route_rows(
    routes: Sequence[RouteSettings | None], place: Place, mistakes: Mistakes
) -> list[Row]:
    """The operations, without those whose method or path is wrong. `place`: of the list."""
    rows: list[Row] = []
    seen: dict[tuple[str, str], tuple[str, Place]] = {}
    for number, one in enumerate(routes):
        here = (*place, number)
        if one is None or not _can_be(one, here, mistakes):
            continue
        if not _PERMISSION.fullmatch(one.permission):
            mistakes.add(
                (*here, "permission"),
                f"permission {one.permission!r}: write it as 'orders:write'",
            )
        shape = _PARAMETER.sub("/:", one.path)
        path, there = seen.setdefault((one.method, shape), (one.path, here))
        if there != here and path == one.path:
            mistakes.add(here, f"{one.method} {path} stands twice")
        elif there != here:
            mistakes.add(
                here,
                f"{one.method} {one.path} is {one.method} {path} of line {mistakes.line(there)}"
                " again: the name of a parameter tells no requests apart",
            )
        rows.append(Row(one.method, one.path, one.permission))
    return rows


def _can_be(one: RouteSettings, place: Place, mistakes: Mistakes) -> bool:
    """Whether method and path can be. What could not be read is told already."""
    checks: dict[str, Callable[[], object]] = {
        "method": lambda: method(one.method),
        "path": lambda: RouteTable("", [Row("GET", one.path, one.permission)]),
    }
    right = True
    for name, check in checks.items():
        if mistakes.is_wrong((*place, name)):
            right = False
            continue
        try:
            check()
        except ValueError as error:
            mistakes.add(place, str(error))
            right = False
    return right
