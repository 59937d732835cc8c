"""Contradictions within a site: between its settings, listeners, proxies and profile."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from guarita.config.layers import CREDENTIALS
from guarita.config.lines import Path as Place
from guarita.config.mistakes import Mistakes
from guarita.config.settings import Site
from guarita.profile import Profile
from guarita.serving.gateway.listening import Listen
from guarita.serving.gateway.site import UpstreamPlan

UNIX = "unix"
"""The entry of `trusted_proxies` that stands for whoever connects by a Unix socket."""

_NO_PATH = re.compile(r"[?#*\s]|[^ -~]")


def plaintext(site: Site, listen: list[Listen], place: Place, mistakes: Mistakes) -> None:
    """Keys and signatures travel by TLS (DESIGN section 3, "plain HTTP")."""
    if site.https_at_proxy and not site.trusted_proxies:
        mistakes.add(
            (*place, "https_at_proxy"), "https_at_proxy takes trusted_proxies: who says so?"
        )
    if site.tls is not None:
        return
    for number, one in enumerate(listen):
        here = (*place, "listen", number)
        if one.is_local or site.https_at_proxy:
            continue
        if site.unsafe_plaintext:
            mistakes.danger(here, f"{one} takes keys and signatures without TLS")
            continue
        mistakes.add(
            here,
            f"{one} would take keys without TLS: give [site.tls], listen on 127.0.0.1, say"
            " https_at_proxy = true where trusted proxies end TLS, or unsafe_plaintext = true",
        )


def contradictions(site: Site, place: Place, mistakes: Mistakes) -> None:
    """Settings of a site of which one makes the other useless."""
    limits, here = site.limits, (*place, "limits")
    if limits.head_bytes < limits.target_bytes:
        _pair(
            here,
            "head_bytes",
            "target_bytes",
            f"head_bytes ({limits.head_bytes}) is less than target_bytes ({limits.target_bytes}),"
            " and the target is a part of the head: raise head_bytes, or lower target_bytes",
            mistakes,
        )
    if limits.per_address > limits.connections:
        _pair(
            here,
            "per_address",
            "connections",
            f"per_address ({limits.per_address}) is more than connections ({limits.connections}),"
            " and one address could take them all: lower per_address, or raise connections",
            mistakes,
        )
    if site.unsafe_no_hsts and mistakes.is_given((*place, "hsts_max_age_s")):
        mistakes.add(
            (*place, "unsafe_no_hsts"),
            "unsafe_no_hsts = true sends no HSTS, and hsts_max_age_s says how long it holds:"
            " leave one of them out",
        )
    if site.https_at_proxy and site.unsafe_plaintext:
        mistakes.add(
            (*place, "unsafe_plaintext"),
            "https_at_proxy refuses what came without TLS, and unsafe_plaintext admits it: leave"
            " one of them out",
        )


def _pair(place: Place, one: str, other: str, text: str, mistakes: Mistakes) -> None:
    """A contradiction of two settings, where both are given and neither is a mistake already. A
    default never contradicts: of two limits the smaller one holds.
    """
    places = (*place, one), (*place, other)
    if all(mistakes.is_given(its) and not mistakes.is_wrong(its) for its in places):
        mistakes.add(places[0], text)


def unguarded(site: Site, place: Place, mistakes: Mistakes) -> None:
    """Paths that no layer looks at."""
    for number, path in enumerate(site.unsafe_unguarded_paths):
        here = (*place, "unsafe_unguarded_paths", number)
        if not path.startswith("/") or path == "/":
            mistakes.add(here, f'{path!r} must begin with "/" and name something below it')
        elif found := _NO_PATH.search(path):
            mistakes.add(
                here,
                f"{path!r} would never be met: paths are compared as sent, without query, and"
                f' {found[0]!r} is no pattern; write "/" at the end to cover what is below',
            )
        else:
            mistakes.danger(here, f"{path} reaches the upstream unchecked")


def not_itself(
    upstream: UpstreamPlan, listen: list[Listen], place: Place, mistakes: Mistakes
) -> None:
    """A site whose upstream is one of its own listeners would hand every request to itself."""
    target = upstream.target()
    for one in listen:
        if one.unix or target.unix:
            same = one.unix == target.unix
        else:
            same = one.port == target.port and _reaches(target.host, one.host)
        if same:
            mistakes.add(place, f"{one} is where this site itself listens; name the application")
            return


def _reaches(host: str, listening: str) -> bool:
    """Whether a connection to `host` arrives where an address is listened on."""
    mine = ip_address(listening)
    try:
        its = [ip_address(host)]
    except ValueError:
        its = [ip_address("127.0.0.1"), ip_address("::1")] if host == "localhost" else []
    return any(
        one == mine or (mine.is_unspecified and one.is_loopback and one.version == mine.version)
        for one in its
    )


def against_profile(
    site: Site, profile: Profile, listen: list[Listen], place: Place, mistakes: Mistakes
) -> None:
    """What a profile's layers need of the site."""
    add = mistakes.add
    if has_layer(profile, "certificate"):
        if site.tls is None and site.certificate_header is None:
            add(
                (*place, "profile"),
                f"the profile {profile.name} verifies client certificates: give [site.tls], or"
                " trusted_proxies with [site.certificate_header]",
            )
    elif site.certificate_header is not None:
        add(
            (*place, "certificate_header"),
            f"the profile {profile.name} looks at no client certificate",
        )
    if any(one.unix for one in listen) and UNIX not in site.trusted_proxies:
        add(
            (*place, "listen"),
            "callers by a Unix socket have no address, and every request would be refused for"
            ' it: add "unix" to trusted_proxies where a proxy of yours connects there',
        )
    for layer in layers_of(profile, "signature"):
        if layer.max_body > site.limits.body_bytes:
            add(
                (*place, "limits", "body_bytes"),
                f"limits.body_bytes ({site.limits.body_bytes}) is less than the longest body"
                f" that {profile.name} reads ({layer.max_body}, signature.max_body_bytes)",
            )


def against_process(
    site: Site, crl_folder: Path, counters: str, place: Place, mistakes: Mistakes
) -> None:
    """What a site asks of the data folder."""
    add = mistakes.add
    if site.publish_crl and not (crl_folder / "ca.pem").is_file():
        add(
            (*place, "publish_crl"),
            f"there is no authority in {crl_folder} whose list could be published",
        )
    if site.share_port and counters == "process":
        add(
            (*place, "share_port"),
            'share_port takes counters = "shared" in [data]: each process would count alone',
        )


def layers_of(profile: Profile, name: str) -> list[Any]:
    """The layers of a name in a profile, each once."""
    found: list[Any] = []
    for one in profile.classes:
        found += [layer for layer in one.layers if layer.name == name and layer not in found]
    return found


def has_layer(profile: Profile, name: str) -> bool:
    """Whether a class of the profile has the layer."""
    return bool(layers_of(profile, name))


def credential_headers(profile: Profile) -> frozenset[bytes]:
    """The headers, in lower case, that a profile's layers read a caller's proof from."""
    return frozenset(
        read(layer) for name, read in CREDENTIALS.items() for layer in layers_of(profile, name)
    )
