"""The tables of `benchmarks.mtls`."""

import ssl
from collections.abc import Mapping
from statistics import median

from cryptography.hazmat.backends.openssl import backend

from benchmarks.mtls_cases import CASES, NGINX, TLS_1_2, TLS_1_3, Case, Measured
from benchmarks.report import Table
from benchmarks.tls_load import AT_ONCE

_Results = Mapping[Case, Measured]


def tables(
    measured: _Results, cycles: int, connections: int, requests: int, kept: int
) -> list[Table]:
    """Handshakes, requests, verifications: of so many rounds, connections and requests in each."""
    return [
        _handshakes(measured, cycles, connections),
        _requests(measured, cycles, requests, kept),
        _verifications(measured),
    ]


def _handshakes(measured: _Results, cycles: int, connections: int) -> Table:
    table = Table(
        "mtls: CPU per full TLS handshake with a client certificate",
        f"CPU microseconds of the server's processes (user and system) per new connection: accept, "
        f"handshake, take down; the one request on it is taken off (last column, measured on "
        f"connections that stay open). The same P-256 certificates and client everywhere, no "
        f"session resumed, one worker, {AT_ONCE} connections at a time; {NGINX} and HAProxy give a "
        f"constant answer of their own. Medians of {cycles} rounds of {connections} connections "
        f"each, the rows taking turns; *ratio* is to {NGINX} in the same turn, *spread* the middle "
        f"half. Guarita reads the revocation list and remembers the verdict on a chain; the others "
        f"verify it (and with a list, that one's signature) in every handshake, as does "
        f"the last row. {_versions(measured)}",
        ("", "TLS 1.3 µs", "spread", "ratio", "TLS 1.2 µs", "spread", "ratio", "request µs"),
    )
    bases = next(measured[case] for case in CASES if case.title == NGINX)
    for case in CASES:
        if not case.handshakes:
            continue
        if not measured[case].requests:
            assert case.peer is not None
            table.rows.append([case.title, case.peer.missing() or "", *[""] * 6])
            continue
        row = [case.title]
        for version in (TLS_1_3, TLS_1_2):
            own = measured[case].handshakes(version)
            base = bases.handshakes(version)
            row += [f"{median(own):.0f}", _spread(own), _ratio(own, base) if base else ""]
        table.rows.append([*row, f"{median(measured[case].requests):.0f}"])
    return table


def _requests(measured: _Results, cycles: int, requests: int, kept: int) -> Table:
    table = Table(
        "mtls: CPU per keep-alive request over TLS and over plain HTTP",
        f"CPU microseconds of the server process per GET /v1/resource, {kept} keep-alive "
        f"connections, TLS 1.3 with a client certificate where there is TLS, the trivial "
        f"application inside. *certificate given*: the same layers on the same certificate, put "
        f"into the scope without TLS, so the ratio to it is what TLS costs and nothing else (aim: "
        f"at most 1.6). *behind an edge*: the certificate comes in Client-Cert from a trusted "
        f"proxy. Medians of {cycles} rounds of {requests:,} requests each, the rows taking turns; "
        f"*added* and *ratio* are to the plain row above of the same turn (bare to bare, Guarita "
        f"to *certificate given*), *spread* is the middle half of *added*.",
        ("", "µs", "added µs", "spread", "ratio"),
    )
    by_title = {case.title: one for case, one in measured.items()}
    for case in CASES:
        if not case.requests:
            continue
        own = measured[case].requests
        row = [case.title, f"{median(own):.1f}", "", "", ""]
        if case.plain:
            plain = by_title[case.plain].requests
            added = [one - base for one, base in zip(own, plain, strict=True)]
            row[2:] = [f"{median(added):+.1f}", _spread(added), _ratio(own, plain)]
        table.rows.append(row)
    return table


def _verifications(measured: _Results) -> Table:
    table = Table(
        "mtls: chains verified",
        "How often a chain was built and its signatures checked, counted by the gate's verifier "
        "after one round of warming up (aim: 0 per request on a warm connection). Dates and "
        "revocation are looked at for every request all the same. In the last row the verifier's "
        "memory is too small for the certificates in turn, on purpose.",
        ("", "number", "verifications", "each"),
    )
    for case in CASES:
        for what, name in (("request", "keep-alive requests"), ("connect", "new connections")):
            number, verified = measured[case].verified.get(what, (0, 0))
            if number and (what == "connect" or not case.forgetful):
                each = f"{verified / number:g}"
                table.rows.append([f"{case.title}: {name}", f"{number:,}", f"{verified:,}", each])
    return table


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return f"{low:.0f} to {high:.0f}"


def _ratio(own: list[float], base: list[float]) -> str:
    return f"{median(one / other for one, other in zip(own, base, strict=True)):.2f}"


def _versions(measured: _Results) -> str:
    """Of the programs that took part, and of the TLS libraries."""
    peers = {
        case.peer.program: case.peer for case in CASES if case.peer and measured[case].requests
    }
    named = [f"{program} {peer.version()}" for program, peer in peers.items()]
    libraries = f"Guarita's TLS: {backend.openssl_version_text()}; Python's: {ssl.OPENSSL_VERSION}"
    return "; ".join([*named, libraries]) + "."
