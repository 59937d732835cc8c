"""Profiles from a configuration: the two that exist, with settings of their own, and a user's own
API.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from guarita.config import layers as making
from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes, nearest
from guarita.config.plain_wording import PLAIN
from guarita.config.profile_checks import check_class, no_layers
from guarita.config.profile_settings import LAYER_TABLES, ClassSettings, ProfileSettings
from guarita.config.routes import route_rows
from guarita.config.wording import wording
from guarita.decision import SERVING_REASONS, Reason
from guarita.pipeline import Layer
from guarita.profile import Profile, RouteClass, Selection
from guarita.profiles.delfinance import PRODUCTION, UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.routes import RouteTable

BUILT_IN = {"minhakonta": MINHA_KONTA, "delfinance": PRODUCTION}

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ONLY_OWN = ("like", "keys", "prefix", "route", "class", "wording")


def profiles(
    settings: Mapping[str, ProfileSettings], given: Mapping[str, Any], mistakes: Mistakes
) -> dict[str, Profile | None]:
    """Every profile a site may name; None for one with a mistake. `given`: the tables as read, to
    tell what was written from what was left out.
    """
    found: dict[str, Profile | None] = dict(BUILT_IN)
    for name, one in settings.items():
        builder = _Builder(name, one, given.get(name, {}), mistakes)
        found[name] = builder.build()
    return found


class _Builder:
    """Puts one profile together; whatever is wrong goes to `mistakes`."""

    def __init__(
        self, name: str, settings: ProfileSettings, given: Mapping[str, Any], mistakes: Mistakes
    ) -> None:
        self.name = name
        self.settings = settings
        self.given = given
        self.mistakes = mistakes
        self.place: Place = ("profile", name)
        self._is_wrong = mistakes.is_wrong
        self.base = self._base()
        self.base_is_known = not self._is_wrong((*self.place, "like"))
        self.own = [(at, one) for at, one in enumerate(settings.classes) if one is not None]

    def _base(self) -> Profile | None:
        like = self.name if self.name in BUILT_IN else self.settings.like
        if like == "delfinance" and self.settings.unsafe_no_certificate_no_allowlist:
            return UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST
        return None if like is None else BUILT_IN[like]

    def build(self) -> Profile | None:
        before = len(self.mistakes.found)
        self._check_names()
        table = self._table()
        names = self._layer_names()
        made = self._layers(names, table) if self.base_is_known else {}
        classes = [
            RouteClass(name, tuple(made[layer] for layer in listed if layer in made))
            for name, listed in names
        ]
        selection = self._selection()
        words = wording(
            self._reasons(names),
            self.base.wording if self.base else {},
            self.settings.wording,
            (*self.place, "wording"),
            self.mistakes,
        )
        for number, one in enumerate(classes):
            # Of a class that is not whole, nothing can be said but what is said already.
            listed = names[number][1]
            places = [(*self.place, layer) for layer in listed]
            places += [self._class_place(number)] if self.own else []
            if all(layer in made for layer in listed) and not any(map(self._is_wrong, places)):
                self._check_class(one, number, selection)
        if len(self.mistakes.found) > before or self._is_broken(names, made):
            return None
        try:
            return Profile(
                self.name, table=table, classes=tuple(classes), selection=selection, wording=words
            )
        except ValueError as error:
            self.mistakes.add(self.place, str(error))
            return None

    # --- the profile as a whole -------------------------------------------------------------------

    def _is_broken(self, names: list[tuple[str, list[str]]], made: dict[str, Layer]) -> bool:
        """Whether what makes it no profile was told when the file was read."""
        return (
            not self.base_is_known
            or self._is_wrong((*self.place, "class"))
            or any(layer not in made for _, listed in names for layer in listed)
        )

    def _check_names(self) -> None:
        settings, add = self.settings, self.mistakes.add
        if not _NAME.fullmatch(self.name):
            add(
                self.place, f"profile name {self.name!r}: write lower-case letters, digits, - and _"
            )
        if self.name in BUILT_IN:
            for member in _ONLY_OWN:
                if member in self.given:
                    add(
                        (*self.place, member),
                        f"the profile {self.name} is what its API documents; give one of your own "
                        f"another name, with like = {self.name!r}",
                    )
            # What is not its own to say is not looked at any further.
            settings = self.settings = replace(
                settings, keys=None, prefix=None, route=[], classes=[], wording={}
            )
            self.own = []
        elif self.base is None and not settings.classes and not self._layers_are_unknown():
            add(self.place, no_layers(self.name, BUILT_IN))
        if settings.keys is not None and not _NAME.fullmatch(settings.keys):
            add((*self.place, "keys"), f"{settings.keys!r} is no profile's name")
        if settings.unsafe_no_certificate_no_allowlist:
            here = (*self.place, "unsafe_no_certificate_no_allowlist")
            if self.base is UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST:
                self.mistakes.danger(here, "client certificates and allowlists are not looked at")
            else:
                add(
                    here,
                    "unsafe_no_certificate_no_allowlist is for delfinance; in a profile of "
                    "your own leave the layers out",
                )

    def _table(self) -> RouteTable:
        settings, base = self.settings, self.base
        prefix = settings.prefix
        if prefix is None:
            prefix = base.prefix if base else ""
        rows = route_rows(settings.route, (*self.place, "route"), self.mistakes)
        self._routes_are_wrong = len(rows) < len(settings.route) or self._is_wrong(
            (*self.place, "route")
        )
        if not settings.route and base is not None:
            rows = list(base.table.rows)
        try:
            return RouteTable(prefix, rows)
        except ValueError as error:
            self.mistakes.add((*self.place, "prefix"), str(error))
            return RouteTable("", rows)

    # --- classes ----------------------------------------------------------------------------------

    def _class_place(self, number: int) -> Place:
        return (*self.place, "class", self.own[number][0]) if self.own else self.place

    def _check_class(self, one: RouteClass, number: int, selection: tuple[Selection, ...]) -> None:
        check_class(
            one,
            selection,
            self._class_place(number),
            self.place,
            has_routes=bool(self.settings.route),
            routes_are_wrong=self._routes_are_wrong,
            own=bool(self.own),
            allowlists=self.base is not UNSAFE_NO_CERTIFICATE_NO_ALLOWLIST,
            mistakes=self.mistakes,
        )

    def _layers(self, names: list[tuple[str, list[str]]], table: RouteTable) -> dict[str, Layer]:
        """Every layer that a class names, by its name; without those that cannot be made."""
        made: dict[str, Layer] = {}
        for name in dict.fromkeys(name for _, listed in names for name in listed):
            layer = self._layer(name, table)
            if layer is not None:
                made[name] = layer
        for member in LAYER_TABLES if names and not self._layers_are_unknown() else ():
            if getattr(self.settings, member) is not None and not any(
                member in listed for _, listed in names
            ):
                self.mistakes.add(
                    (*self.place, member), f"no class of this profile has the layer {member!r}"
                )
        return made

    def _layers_are_unknown(self) -> bool:
        """Whether there may be layers that nobody could read."""
        listed = [layer for _, one in self.own for layer in one.layers]
        return (
            not self.base_is_known
            or self._is_wrong((*self.place, "class"))
            or any(layer not in making.KINDS for layer in listed)
        )

    def _layer_names(self) -> list[tuple[str, list[str]]]:
        """Class → the names of its layers."""
        if not self.own and self.base is not None:
            return [(one.name, [layer.name for layer in one.layers]) for one in self.base.classes]
        self._check_unknown_layers()
        return [(one.name, list(one.layers)) for _, one in self.own]

    def _check_unknown_layers(self) -> None:
        for number, one in self.own:
            for index, layer in enumerate(one.layers):
                if layer not in making.KINDS:
                    self.mistakes.add(
                        (*self.place, "class", number, "layers", index),
                        f"there is no layer {layer!r}{nearest(layer, making.KINDS)}",
                    )

    def _layer(self, name: str, table: RouteTable) -> Layer | None:
        if name not in making.KINDS:
            return None  # told already
        base = None
        if self.base is not None:
            every = [layer for one in self.base.classes for layer in one.layers]
            base = next((layer for layer in every if layer.name == name), None)
        settings = getattr(self.settings, name) if name in LAYER_TABLES else None
        keys = self.settings.keys
        if name == "api_key_header" and keys not in (None, making.HEADER_KEYS):
            self.mistakes.add(
                (*self.place, "keys"),
                f"the layer api_key_header takes keys of {making.HEADER_KEYS} only: those of other"
                " profiles are an id with a secret",
            )
            return None
        try:
            own_keys = self.settings.like or self.name
            return making.make(name, settings, base, keys=keys, own_keys=own_keys, table=table)
        except ValueError as error:
            place = (*self.place, name) if settings is not None else self.place
            if not self._is_wrong((*self.place, name)):  # else it may come from that
                self.mistakes.add(place, f"{name}: {error}")
            return None

    def _reasons(self, names: list[tuple[str, list[str]]]) -> tuple[Reason, ...]:
        """The reasons that its layers can give; all there are where not all layers are known."""
        if not names or self._layers_are_unknown():
            return tuple(PLAIN)
        layers = [making.KINDS[name] for _, listed in names for name in listed]
        found = [reason for layer in layers for reason in layer.reasons]
        return tuple(dict.fromkeys([*found, *SERVING_REASONS]))

    def _selection(self) -> tuple[Selection, ...]:
        if not self.own:
            return self.base.selection if self.base else ()
        rows: list[Selection] = []
        names: set[str] = set()
        for number, one in self.own:
            place = (*self.place, "class", number)
            if self._is_wrong(place):
                continue
            if one.name in names:
                self.mistakes.add(
                    place, f"the profile {self.name!r} has two route classes {one.name!r}"
                )
            names.add(one.name)
            rows += self._rows(number, one, last=number == len(self.settings.classes) - 1)
        return tuple(rows)

    def _rows(self, number: int, one: ClassSettings, *, last: bool) -> list[Selection]:
        place = (*self.place, "class", number)
        if last:
            if one.methods is not None or one.paths is not None:
                self.mistakes.add(
                    place, "the last class takes everything else: it names no methods and no paths"
                )
            return [Selection(one.name)]
        if one.methods is None:
            self.mistakes.add(place, f"the class {one.name!r} names no methods; only the last may")
            return []
        try:
            methods = frozenset(making.methods(one.methods))
        except ValueError as error:
            self.mistakes.add((*place, "methods"), str(error))
            return []
        for path in one.paths or ():
            if not path.startswith("/") or ":" in path:
                self.mistakes.add(
                    (*place, "paths"),
                    f"path {path!r}: write an exact path below the prefix, such as '/balance'",
                )
        return [Selection(one.name, methods, path) for path in one.paths or (None,)]
