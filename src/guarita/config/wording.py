"""The responses of a configured profile: its own words over those of the profile it is like."""

import string
from collections.abc import Iterator, Mapping
from typing import Any

from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes, nearest
from guarita.config.plain_wording import PLAIN, VALUES
from guarita.config.profile_settings import WordingSettings
from guarita.decision import Reason
from guarita.profile import Wording

SET_BY_THE_GATE = frozenset(
    {
        "content-type",
        "content-length",
        "transfer-encoding",
        "ray-id",
        "strict-transport-security",
    }
)


def wording(
    reachable: tuple[Reason, ...],
    base: Mapping[Reason, Wording],
    own: Mapping[str, WordingSettings],
    place: Place,
    mistakes: Mistakes,
) -> dict[Reason, Wording]:
    """One response for each reason that can be reached."""
    words = {reason: base.get(reason) or PLAIN[reason] for reason in reachable}
    by_name = {str(reason): reason for reason in reachable}
    for name, settings in own.items():
        here = (*place, name)
        reason = by_name.get(name)
        if reason is None:
            known = name in map(str, PLAIN)
            why = (
                f"no layer of this profile gives the reason {name!r}"
                if known
                else f"there is no reason {name!r}{nearest(name, by_name)}"
            )
            mistakes.add(here, why)
            continue
        fault = _fault(settings, VALUES.get(reason, frozenset()))
        if fault:
            mistakes.add(here, f"wording of {name}: {fault}")
        else:
            words[reason] = Wording(settings.status, settings.body, settings.headers)
    return words


def _fault(settings: WordingSettings, values: frozenset[str]) -> str:
    """What is wrong with a response, "" where nothing is."""
    for text in [*_texts(settings.body), *settings.headers.values()]:
        try:
            named = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError:
            return f"{text!r}: write a brace that is meant as one twice, {{{{ or }}}}"
        for name in named:
            if name not in values:
                has = f"it has {', '.join(sorted(values))}" if values else "it has no values"
                return f"{{{name}}} cannot be filled in, {has}; a brace is written {{{{"
    for name, value in settings.headers.items():
        if not name or not all(one.isascii() and (one.isalnum() or one in "-_") for one in name):
            return f"header name {name!r}: write letters, digits and hyphens only"
        if name.lower() in SET_BY_THE_GATE:
            return f"the header {name} is set by the gate"
        if not value.isprintable() or not value.isascii():
            return f"the value of {name} must be printable ASCII"
    try:
        Wording(settings.status, settings.body, settings.headers).render(dict.fromkeys(values, ""))
    except (TypeError, ValueError) as error:
        return f"the body is no JSON document: {error}"
    return ""


def _texts(node: Any) -> Iterator[str]:
    """Every text and member name in a JSON document."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for name, member in node.items():
            yield name
            yield from _texts(member)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
