"""What a profile is made of: route classes, a permission table, and one literal response per
reason. Data and its look-up.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from guarita.decision import SERVING_REASONS, Pairs, Reason, Refuse, Response
from guarita.pipeline import Layer, check_order
from guarita.routes import RouteTable

CONTENT_TYPE_JSON = (b"content-type", b"application/json")


@runtime_checkable
class HasTable(Protocol):
    """A layer that decides by a permission table."""

    @property
    def table(self) -> RouteTable: ...


class Wording(Struct, frozen=True):
    """The literal response to one reason.

    Attributes:
        status: HTTP status.
        body: the JSON document; "{name}" inside a text or a member name is filled from the
            refusal's values.
        headers: further headers, values filled likewise.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = {}

    def render(self, values: Mapping[str, str]) -> Response:
        """The response, as compact JSON in the order of `body`. Raises KeyError where a value is
        missing.
        """
        body = msgspec.json.encode(_fill(self.body, values))
        headers: Pairs = (CONTENT_TYPE_JSON, (b"content-length", b"%d" % len(body)))
        headers += tuple(
            (name.lower().encode(), _fill(value, values).encode("latin-1"))
            for name, value in self.headers.items()
        )
        return Response(self.status, headers, body)

    @property
    def is_literal(self) -> bool:
        """Whether nothing has to be filled in."""
        return not any("{" in text for text in [*_texts(self.body), *self.headers.values()])


class RouteClass(Struct, frozen=True):
    """The layers a class of requests passes, in order."""

    name: str
    layers: tuple[Layer, ...]


class Selection(Struct, frozen=True):
    """A row of the table that finds a request's route class, first match first. None matches
    anything.
    """

    route_class: str
    methods: frozenset[str] | None = None
    path: str | None = None


class Profile:
    """A system's policy.

    Args:
        name: as the CLI and the decision log call it.
        table: its operations and their permissions, below its path prefix.
        classes: its route classes.
        selection: finds the class of a request; the last row must match everything.
        wording: one response for every reason its layers and its adapters can give.

    Raises:
        ValueError: a reason without wording, wording for a reason nothing gives, an impossible
            order of layers, or a selection that leaves requests without a class.
    """

    def __init__(
        self,
        name: str,
        *,
        table: RouteTable,
        classes: tuple[RouteClass, ...],
        selection: tuple[Selection, ...],
        wording: Mapping[Reason, Wording],
    ) -> None:
        self.name = name
        self.table = table
        self.classes = classes
        self.selection = selection
        self.wording = wording
        self._check()
        by_name = {route_class.name: route_class for route_class in classes}
        self._exact: dict[tuple[str, str], RouteClass] = {}
        self._by_method: dict[str, RouteClass] = {}
        self._default = by_name[selection[-1].route_class]
        for row in selection[:-1]:
            route_class = by_name[row.route_class]
            for method in row.methods or ():
                if method in self._by_method:
                    continue  # an earlier row has taken the whole method
                if row.path is None:
                    self._by_method[method] = route_class
                else:
                    self._exact.setdefault((method, table.prefix + row.path), route_class)
        self._rendered = {
            reason: worded.render({}) for reason, worded in wording.items() if worded.is_literal
        }

    @property
    def prefix(self) -> str:
        """Every operation's path begins with this."""
        return self.table.prefix

    def route_class(self, method: str, path: str) -> RouteClass:
        """The route class of a request. `path` is compared raw, so a disguised path falls into a
        stricter class, never a laxer one.
        """
        return self._exact.get((method, path)) or self._by_method.get(method) or self._default

    def respond(self, refusal: Refuse) -> Response:
        """The literal response to a refusal."""
        ready = self._rendered.get(refusal.reason)
        return ready if ready is not None else self.wording[refusal.reason].render(refusal.values)

    def reasons(self) -> tuple[Reason, ...]:
        """Every reason reachable in this profile, in the order the layers look, adapters' last."""
        found = [
            reason
            for route_class in self.classes
            for layer in route_class.layers
            for reason in layer.reasons
        ]
        return tuple(dict.fromkeys([*found, *SERVING_REASONS]))

    def with_layers(self, *replacements: Layer) -> "Profile":
        """A copy in which each given layer takes the place of the one of its name, in every class
        that has it.

        Raises ValueError for a layer that stands in no class, and for two of one name.
        """
        by_name = {layer.name: layer for layer in replacements}
        if len(by_name) != len(replacements):
            names = [layer.name for layer in replacements]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"given more than once: {', '.join(twice)}")
        present = {layer.name for one in self.classes for layer in one.layers}
        if unknown := by_name.keys() - present:
            raise ValueError(f"profile {self.name!r} has no layer {', '.join(sorted(unknown))}")
        classes = tuple(
            RouteClass(one.name, tuple(by_name.get(layer.name, layer) for layer in one.layers))
            for one in self.classes
        )
        tables = [layer.table for layer in replacements if isinstance(layer, HasTable)]
        return Profile(
            self.name,
            table=tables[0] if tables else self.table,
            classes=classes,
            selection=self.selection,
            wording=self.wording,
        )

    def _check(self) -> None:
        for route_class in self.classes:
            check_order(route_class.layers)
        reasons = set(self.reasons())
        if missing := reasons - self.wording.keys():
            raise ValueError(f"profile {self.name!r} has no wording for {_listed(missing)}")
        if unreachable := self.wording.keys() - reasons:
            raise ValueError(
                f"profile {self.name!r} words {_listed(unreachable)}, which nothing gives"
            )
        names = [route_class.name for route_class in self.classes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"profile {self.name!r} has two route classes {name!r}")
        last = self.selection[-1] if self.selection else None
        if last is None or last.methods is not None or last.path is not None:
            raise ValueError(
                f"the last selection row of profile {self.name!r} must match everything"
            )
        for row in self.selection[:-1]:
            if row.methods is None:
                raise ValueError("a selection row before the last names its methods")
        for row in self.selection:
            if row.route_class not in names:
                raise ValueError(f"profile {self.name!r} has no route class {row.route_class!r}")


def _listed(reasons: set[Reason]) -> str:
    return ", ".join(sorted(map(str, reasons)))


def _fill(node: Any, values: Mapping[str, str]) -> Any:
    """`node` with every "{name}" in its texts and member names replaced, in one pass: a value is
    never itself filled in.
    """
    if isinstance(node, str):
        return node.format_map(values) if "{" in node else node
    if isinstance(node, dict):
        return {_fill(name, values): _fill(member, values) for name, member in node.items()}
    if isinstance(node, list):
        return [_fill(item, values) for item in node]
    return node


def _texts(node: Any) -> list[str]:
    """Every text and member name in a JSON document."""
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        return [text for pair in node.items() for part in pair for text in _texts(part)]
    if isinstance(node, list):
        return [text for item in node for text in _texts(item)]
    return []
