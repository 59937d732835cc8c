"""The nginx edge runs the OWASP Core Rule Set (seed L170): attacks end there, ordinary payments
pass. Cases and their sources: tests/vectors/edge_bodies.json.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.edges.client import Answer, context, send
from tests.edges.pki import Certificates
from tests.edges.running import TEMPLATES, Edge, edge

Row = dict[str, Any]
VECTORS: dict[str, list[Row]] = json.loads(
    Path(__file__).parents[1].joinpath("vectors", "edge_bodies.json").read_text(encoding="utf-8")
)
ATTACKS = [pytest.param(r, id=f"{r['kind']}: {r['text'][:24]}") for r in VECTORS["attacks"]]
ORDINARY = [pytest.param(r, id=json.dumps(r["body"])[:60]) for r in VECTORS["ordinary"]]
REFUSED = {"error": {"status": 403, "message": "Refused by the edge firewall."}}
SECRET = "dk_0123456789abcdef"
pytestmark = pytest.mark.slow


def post(
    edge: Edge,
    body: object,
    target: str = "/api/external/pix/cash-out",
    certificate: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    certificates = edge.certificates
    path = None if certificate is None else certificates.path(certificate)
    sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    fields = [("Content-Type", "application/json"), *headers]
    tls = context(certificates.server, path)
    return send(edge.port, tls, "POST", target, headers=fields, body=sent)


def check_refused(edge: Edge, answer: Answer, reached: int) -> None:
    assert (answer.status, json.loads(answer.body)) == (403, REFUSED)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert edge.upstream.reached == reached


@pytest.mark.parametrize("row", ATTACKS)
def test_attacks_end_at_the_edge(nginx: Edge, row: Row) -> None:
    reached, logged = nginx.upstream.reached, len(nginx.logged())
    check_refused(nginx, post(nginx, {"amount": 1, "reference": row["text"]}), reached)
    assert f'[id "{row["rules"]}' in nginx.logged()[logged:]
    logged = len(nginx.logged())
    target = f"/api/external/pix?reference={quote(row['text'], safe='')}"
    answer = send(nginx.port, context(nginx.certificates.server), target=target)
    check_refused(nginx, answer, reached)
    assert f'[id "{row["rules"]}' in nginx.logged()[logged:]


@pytest.mark.parametrize("kind", ["XSS", "SQLi", "LFI", "RCE"])
def test_free_text_is_no_way_round(nginx: Edge, kind: str) -> None:
    reached = nginx.upstream.reached
    for row in VECTORS["attacks"]:
        if row["kind"] == kind:
            check_refused(nginx, post(nginx, {"description": row["text"]}), reached)


@pytest.mark.parametrize("certificate", ["good", "expired", "not yet valid", "made for servers"])
def test_a_refused_certificate_is_no_way_round(nginx: Edge, certificate: str) -> None:
    """nginx sends such requests on by way of its error 495."""
    reached = nginx.upstream.reached
    answer = post(nginx, {"reference": "' OR '1'='1' --"}, certificate=certificate)
    check_refused(nginx, answer, reached)
    assert (
        post(nginx, {"reference": "7"}, certificate=certificate).seen.body == b'{"reference": "7"}'
    )


@pytest.mark.parametrize("row", ORDINARY)
def test_ordinary_payments_pass_byte_for_byte(nginx: Edge, row: Row) -> None:
    for ascii_only in (False, True):
        body = json.dumps(row["body"], ensure_ascii=ascii_only).encode()
        assert post(nginx, body).seen.body == body


def test_every_exclusion_is_needed(certificates: Certificates) -> None:
    """Without after-rules.conf each of these bodies is refused, by the rule it names."""
    excluded = [row for row in VECTORS["ordinary"] if "exclusion" in row]
    rules = TEMPLATES.joinpath("nginx", "after-rules.conf").read_text(encoding="utf-8")
    named = set(re.findall(r"^SecRuleUpdateTargetById (\d+)", rules, re.MULTILINE))
    assert {row["exclusion"] for row in excluded} == named
    with edge("nginx", certificates, without="after-rules.conf") as bare:
        for row in excluded:
            logged = len(bare.logged())
            assert post(bare, row["body"]).status == 403, row
            assert f'[id "{row["exclusion"]}"]' in bare.logged()[logged:], row


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_methods_of_the_apis_pass(nginx: Edge, method: str) -> None:
    body = None if method in ("GET", "DELETE") else b'{"a": 1}'
    fields = [("Content-Type", "application/json")] if body else []
    tls = context(nginx.certificates.server)
    assert send(nginx.port, tls, method, headers=fields, body=body).seen.method == method


def test_the_target_passes_as_it_was_sent(nginx: Edge) -> None:
    tls = context(nginx.certificates.server)
    target = "/api/external//pix/%7Ejo%C3%A3o?a=%20b&pixKey=x%2By"
    assert send(nginx.port, tls, target=target).seen.target == target


@pytest.mark.parametrize("body", [b'{"a":1', b'{"a": NaN}', b"\xef\xbb\xbf{}", b"not json"])
def test_a_body_that_cannot_be_looked_into_does_not_pass(nginx: Edge, body: bytes) -> None:
    reached = nginx.upstream.reached
    answer = post(nginx, body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["message"] == "Malformed request (edge)."
    assert nginx.upstream.reached == reached


def test_a_large_body_and_a_large_batch(nginx: Edge) -> None:
    batch = {"transfers": [{"amount": i, "key": f"k{i}"} for i in range(2_000)]}
    assert json.loads(post(nginx, batch).seen.body) == batch
    too_large = post(nginx, {"filler": "a" * 1_100_000})
    assert (too_large.status, json.loads(too_large.body)["error"]["status"]) == (413, 413)


def test_credentials_are_neither_judged_nor_logged(nginx: Edge) -> None:
    suspicious = f"ApiKey id:{SECRET}() {{ :; }}; /bin/bash"
    headers = (("Authorization", suspicious), ("x-delbank-api-key", f"{SECRET}<script>"))
    seen = post(nginx, {"amount": 1}, headers=headers).seen
    assert seen.headers.all(b"authorization") == [suspicious.encode()]
    assert post(nginx, {"reference": "<script>alert(1)</script>"}, headers=headers).status == 403
    logged = nginx.logged()
    assert "POST /api/external/pix/cash-out" in logged
    assert SECRET not in logged
