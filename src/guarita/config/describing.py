"""What a configuration would run, for `guarita check-config`: as a document, and in words."""

from collections.abc import Sequence
from typing import Any

from guarita.config.loading import Loaded
from guarita.config.mistakes import Mistake
from guarita.profile import Profile
from guarita.serving.gateway.site import SitePlan


def document(loaded: Loaded) -> dict[str, Any]:
    """The JSON document: sites with their listeners, layers per route class, dangers."""
    certificates = loaded.certificates
    return {
        "config": str(loaded.file),
        "data": str(loaded.data),
        "counters": loaded.settings.data.counters,
        "decision_log": loaded.settings.decision_log.enabled,
        "client_certificates": None
        if certificates is None
        else {
            "authorities": [str(one) for one in certificates.authorities],
            "lists": [*map(str, certificates.lists), *certificates.settings.revocation_urls],
        },
        "sites": [_site(one) for one in loaded.sites],
        "dangers": listed(loaded.dangers),
        "mistakes": [],
    }


def listed(mistakes: Sequence[Mistake]) -> list[dict[str, Any]]:
    """Mistakes or dangers as they stand in a document."""
    return [{"line": one.line, "message": one.text} for one in mistakes]


def _site(plan: SitePlan) -> dict[str, Any]:
    settings = plan.settings
    header = settings.certificate_header
    return {
        "name": plan.name,
        "listen": [str(one) for one in plan.listen],
        "tls": plan.tls is not None,
        "asks_for_client_certificates": plan.tls is not None and plan.tls.asks,
        "upstream": plan.upstream.url,
        "trusted_proxies": list(settings.trusted_proxies.entries),
        "certificate_header": None if header is None else header.name.decode(),
        "profile": plan.profile.name,
        "prefix": plan.profile.prefix,
        "operations": len(plan.profile.table.rows),
        "classes": _classes(plan.profile),
    }


def _classes(profile: Profile) -> list[dict[str, Any]]:
    """Route classes, each with the requests it takes and its layers in order."""
    found: list[dict[str, Any]] = []
    for one in profile.classes:
        rows = [row for row in profile.selection if row.route_class == one.name]
        requests = [
            {
                "methods": sorted(row.methods) if row.methods else None,
                "path": None if row.path is None else profile.prefix + row.path,
            }
            for row in rows
        ]
        layers = [layer.name for layer in one.layers]
        found.append({"name": one.name, "requests": requests, "layers": layers})
    return found


def text(loaded: Loaded) -> str:
    """The same for a person."""
    seen = document(loaded)
    lines = [
        f"data folder {seen['data']}, counters: {seen['counters']},"
        f" decision log: {'on' if seen['decision_log'] else 'off'}"
    ]
    if seen["client_certificates"]:
        authorities = ", ".join(seen["client_certificates"]["authorities"])
        lines.append(f"client certificates of {authorities}")
    for site in seen["sites"]:
        lines += ["", *_site_lines(site)]
    if seen["dangers"]:
        lines += ["", "Dangerous settings:"]
        lines += [f"  {loaded.file}:{one['line']}: {one['message']}" for one in seen["dangers"]]
    return "\n".join(lines)


def _site_lines(site: dict[str, Any]) -> list[str]:
    tls = "without TLS"
    if site["tls"]:
        asks = site["asks_for_client_certificates"]
        tls = "TLS, asks for client certificates" if asks else "TLS"
    lines = [
        f"site {site['name']}: {', '.join(site['listen'])} ({tls}) → {site['upstream']}",
        f"  profile {site['profile']}, {site['operations']} operations"
        f" below {site['prefix'] or '/'}",
    ]
    for one in site["classes"]:
        takes = ", ".join(_request(row) for row in one["requests"])
        lines.append(f"  {one['name']} ({takes}): {' → '.join(one['layers'])}")
    return lines


def _request(row: dict[str, Any]) -> str:
    if row["methods"] is None:
        return "everything else"
    return "/".join(row["methods"]) + (f" {row['path']}" if row["path"] else "")
