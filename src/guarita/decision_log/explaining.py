"""Puts one entry of the decision log into words, for whoever was given a Ray ID. The words
themselves stand in `words`.
"""

import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from guarita.decision_log.entry import Entry
from guarita.decision_log.words import (
    AS_IT_IS,
    NO_ADVICE,
    PASSES,
    REASONS,
    REPLAY_ADVICE,
    REPLAYED,
    Templates,
)

Verdict = Literal["passed", "refused", "replayed", "not reached"]


class LayerLine(Struct, frozen=True):
    """What one layer did: its name, its verdict, and in words what it saw ("" where it was not
    reached).
    """

    layer: str
    verdict: Verdict
    saw: str


class Explanation(Struct, frozen=True):
    """A decision in words. All texts are printable: control characters a caller sent are shown as
    escapes.

    Attributes:
        at: time of arrival, UTC, ISO 8601 with milliseconds.
        client, peer: IP addresses, "unknown" where there is none.
        layer, reason, status: as in `Entry`; status 0 where the application answered.
        outcome: what became of the request, in one sentence.
        layers: every layer of the route class, in order; one more line where the adapter itself
            refused.
        advice: what to do; None for an admitted request.
    """

    ray: str
    at: str
    method: str
    path: str
    client: str
    peer: str
    profile: str
    route_class: str
    account: str | None
    client_id: str | None
    decision: str
    layer: str | None
    reason: str | None
    status: int
    outcome: str
    layers: tuple[LayerLine, ...]
    advice: str | None

    def text(self) -> str:
        """The explanation for a terminal or a ticket, several lines, ending in a line break."""
        through = "" if self.peer == self.client else f" (through {self.peer})"
        key = f"{self.client_id}, account {self.account}" if self.client_id else "none verified"
        facts = [
            ("time", self.at),
            ("request", f"{self.method} {self.path}"),
            ("client", self.client + through),
            ("key", key),
            ("policy", f"{self.profile}, route class {self.route_class}"),
            ("outcome", self.outcome),
        ]
        lines = [f"Ray ID {self.ray}", ""]
        lines += [f"  {name:<9}{value}" for name, value in facts]
        width = max([len(line.layer) for line in self.layers], default=0)
        lines += ["", "What each layer saw and decided:"]
        lines += [
            f"  {line.layer:<{width}}  {line.verdict:<11}  {line.saw}".rstrip()
            for line in self.layers
        ]
        if self.advice:
            lines += ["", "What to do:", f"  {self.advice}"]
        return "\n".join(lines) + "\n"


def explain(entry: Entry) -> Explanation:
    """`entry` in words."""
    return Explanation(
        ray=_printable(entry.ray),
        at=_utc(entry.at),
        method=_printable(entry.method),
        path=_printable(entry.path),
        client=_printable(entry.client or "unknown"),
        peer=_printable(entry.peer or "unknown"),
        profile=entry.profile,
        route_class=entry.route_class,
        account=entry.account,
        client_id=entry.client_id,
        decision=entry.decision,
        layer=entry.layer,
        reason=entry.reason,
        status=entry.status,
        outcome=_outcome(entry),
        layers=tuple(_lines(entry)),
        advice=_advice(entry),
    )


def _outcome(entry: Entry) -> str:
    if entry.decision == "admit":
        return "admitted: every layer passed, and the application was called"
    if entry.decision == "replay":
        return (
            f"replayed: answered {entry.status} as the first time; the application was not called"
        )
    return f"refused by {entry.layer} ({entry.reason}), answered {entry.status}"


def _advice(entry: Entry) -> str | None:
    if entry.decision == "admit":
        return None
    if entry.decision == "replay":
        return REPLAY_ADVICE
    row = REASONS.get(entry.reason or "")
    return row.advice if row else NO_ADVICE


def _lines(entry: Entry) -> list[LayerLine]:
    lines = []
    saw = dict(entry.saw)
    for name in entry.layers:
        if name == entry.layer and entry.decision == "refuse":
            seen = entry.values[-1] if entry.refused_late else saw.get(name)
            lines.append(_refused(entry, seen))
        elif name not in saw:
            lines.append(LayerLine(name, "not reached", ""))
        elif name == entry.replayed:
            lines.append(LayerLine(name, "replayed", _words(REPLAYED, saw[name])))
        else:
            lines.append(LayerLine(name, "passed", _words(PASSES.get(name, AS_IT_IS), saw[name])))
    if entry.decision == "refuse" and entry.layer not in entry.layers:
        lines.append(_refused(entry, None))
    return lines


def _refused(entry: Entry, saw: Any) -> LayerLine:
    row = REASONS.get(entry.reason or "")
    return LayerLine(entry.layer or "", "refused", _words(row.saw if row else AS_IT_IS, saw))


def _words(templates: Templates, saw: Any) -> str:
    """What a layer saw, in the template for so many values, or listed where none fits."""
    if saw is None:
        values: Sequence[Any] = ()
    else:
        values = saw if isinstance(saw, list | tuple) else (saw,)
    listed = ", ".join(_printable(str(value)) for value in values)
    template = templates.get(len(values))
    if template is None and values and "{all}" in templates.get(1, ""):
        template = templates[1]
    if template is None:
        return listed or "nothing further"
    return _WORDING.vformat(template, values, {"all": listed})


class _Wording(string.Formatter):
    """`str.format` over a layer's values: "{0}" as text, "{0!q}" quoted, "{0!t}" Unix seconds as a
    time. A value is never itself a template, and no attribute or item of it can be reached.
    """

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, int | str]:
        key = int(field_name) if field_name.isdigit() else field_name
        return self.get_value(key, args, kwargs), key

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion == "t" and isinstance(value, int | float):
            return _utc(value)
        text = _printable(str(value))
        return f'"{text}"' if conversion == "q" else text


_WORDING = _Wording()


def _utc(at: float) -> str:
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at} s after 1970"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    """`text` with what a terminal could obey, or an eye could be deceived by, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
