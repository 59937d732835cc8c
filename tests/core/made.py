"""What the tests of the core make requests and keys from, and how they drive a flow by hand."""

from collections.abc import Callable, Sequence
from types import GeneratorType
from typing import Any

from guarita import crypto
from guarita.addresses import AddressSet
from guarita.asks import Ask, Flow
from guarita.decision import Known
from guarita.facts import Facts, Headers
from guarita.layers.api_key import Credential
from guarita.layers.signature import Form, SignedBody
from guarita.records import Account, ApiKey, SecretHash

NOW = 1_770_000_000.0
SECRET = b"sk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01"
PEPPER = b"a pepper for tests, 32 bytes lng"
BODY = b'{"amount":3000,"pix_key":"12345678901"}'
CLIENT = "203.0.113.45"


def facts(
    method: str = "POST",
    path: str = "/api/external/pix/cash-out",
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    query: bytes = b"",
    client: str | None = CLIENT,
) -> Facts:
    return Facts(method, path, query, Headers(headers), CLIENT, client, NOW, "ray", "token")


def api_key(**changes: Any) -> ApiKey:
    """A key that may do one thing, from one address."""
    members: dict[str, Any] = {
        "client_id": "cli_1",
        "account": Account("acc_1", "First"),
        "secrets": (SecretHash(crypto.secret_hash(PEPPER, SECRET)),),
        "permissions": frozenset({"transfer:write"}),
        "allowlist": AddressSet([CLIENT]),
    }
    return ApiKey(**{**members, **changes})


def known(*records: Any, **changes: Any) -> Known:
    """What earlier layers found: a credential (its key with `changes`) and `records`."""
    found = Known()
    for record in (Credential(api_key(**changes), crypto.mac_state(SECRET)), *records):
        found[type(record)] = record
    return found


def signed(body: bytes = BODY) -> SignedBody:
    return SignedBody(body, Form.CANONICAL)


def ends(flow: Any) -> Any:
    """What the flow returns without asking anything (more); a check that never asks is no flow."""
    return _ends(lambda: next(flow)) if isinstance(flow, GeneratorType) else flow


def ends_with(flow: Flow[Any], answer: Any) -> Any:
    """What the flow returns when its ask is answered with `answer`."""
    return _ends(lambda: flow.send(answer))


def ends_after(flow: Flow[Any], problem: BaseException) -> Any:
    """What the flow returns when its ask is answered by raising `problem`."""
    return _ends(lambda: flow.throw(problem))


def _ends(step: Callable[[], Ask]) -> Any:
    try:
        ask = step()
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"asked {ask!r} where the flow should have ended")
