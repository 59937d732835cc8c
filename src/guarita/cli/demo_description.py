"""The bank's description of itself as it is behind the gate, and where it is served: `GET
/openapi.json`, and no other path.

The bank knows nothing of the gate. What the gate takes and answers is added here from its profile.
"""

import json
from collections.abc import Iterator
from typing import Any

from guarita.layers.idempotency import Idempotency
from guarita.layers.key_case import KeyCase
from guarita.layers.signature import BodySignature
from guarita.pipeline import Layer
from guarita.profile import Wording
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.serving.asgi import ASGIApp, ASGIScope, Receive, Send

PATH = "/openapi.json"
METHODS = ("get", "post", "delete")

_SECURITY_SCHEMES = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`ApiKey CLIENT_ID:CLIENT_SECRET`.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The client_id as user name, the client_secret as password.",
    },
}
_MEANINGS = {
    403: "The gate refuses: the address, the account, the key, or its permissions.",
    409: "A request with this Idempotency-Key is under way, or how it ended is unknown.",
    413: "The body is too long.",
    415: "The body is not announced as JSON.",
    429: "Too many requests in a minute.",
}
_RAY_ID = {
    "Ray-ID": {
        "description": "Names the request; `guarita explain` says how it was decided.",
        "schema": {"type": "string"},
    }
}
_REPLAY = {
    "Idempotency-Key": {"description": "As sent.", "schema": {"type": "string"}},
    "X-Idempotent-Replay": {
        "description": "On the answer to an earlier request with this Idempotency-Key.",
        "schema": {"const": "true"},
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI document of the bank behind the gate of the profile Minha Konta."""
    from guarita.sandbox.api import openapi

    whole = openapi.document()
    whole["info"]["description"] += (
        " This is the bank behind the gate: each request takes credentials, each POST a signature."
    )
    whole["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for path, methods in whole["paths"].items():
        for method in METHODS:
            if method in methods:
                layers = MINHA_KONTA.route_class(method.upper(), MINHA_KONTA.prefix + path).layers
                _guard(methods[method], layers)
    return whole


def _guard(operation: dict[str, Any], layers: tuple[Layer, ...]) -> None:
    """Add to an operation what the layers take and answer."""
    operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    operation["parameters"] += [each for layer in layers for each in _headers(layer)]
    keeps = any(isinstance(layer, Idempotency) for layer in layers)
    for status, response in operation["responses"].items():
        response["headers"] = _RAY_ID | (_REPLAY if keeps and status.startswith("2") else {})
    for layer in layers:
        for reason in layer.reasons:
            worded = MINHA_KONTA.wording[reason]
            if worded.status not in (404, 405):  # of paths that are no operation
                _add(operation["responses"], str(reason), worded)


def _headers(layer: Layer) -> Iterator[dict[str, Any]]:
    """What a caller sends for a layer, besides credentials."""
    if isinstance(layer, BodySignature):
        text = "HMAC-SHA512 of the body's bytes under the client_secret, in hexadecimal."
        yield _header("hmac", text, {"type": "string", "pattern": "^[0-9a-fA-F]{128}$"}, True)
    elif isinstance(layer, Idempotency):
        text = (
            "Executes once: the same key gets the same answer again, whole, for"
            f" {layer.keep_s // 3600} hours."
        )
        length = {"minLength": 1, "maxLength": layer.max_length}
        yield _header("Idempotency-Key", text, {"type": "string"} | length)
    elif isinstance(layer, KeyCase):
        text = "Members in camelCase, in the body and in the answer. The schemas are those without."
        yield _header("X-Key-Case", text, {"type": "string", "enum": ["camelCase"]})


def _header(name: str, text: str, schema: dict[str, Any], required: bool = False) -> dict[str, Any]:
    where = {"name": name, "in": "header", "required": required}
    return {**where, "description": text, "schema": schema}


def _add(responses: dict[str, Any], reason: str, worded: Wording) -> None:
    """Add a refusal of the gate to what an operation answers with its status."""
    response = responses.setdefault(
        str(worded.status),
        {
            "description": _MEANINGS.get(worded.status, "The gate refuses."),
            "headers": dict(_RAY_ID),
            "content": {"application/json": {"schema": {"anyOf": []}, "examples": {}}},
        },
    )
    for name in worded.headers:
        response["headers"][name] = {"schema": {"type": "string"}}
    content = response["content"]["application/json"]
    if "anyOf" not in content["schema"]:
        content["schema"] = {"anyOf": [content["schema"]]}
    schema = _schema(worded.body)
    if schema not in content["schema"]["anyOf"]:
        content["schema"]["anyOf"].append(schema)
    content["examples"][reason] = {"value": worded.body}


def _schema(value: Any) -> dict[str, Any]:
    """The JSON schema of a refusal: its members, with any text in a text's place."""
    if isinstance(value, dict) and any("{" in name for name in value):
        return {"type": "object", "additionalProperties": _schema(next(iter(value.values())))}
    if isinstance(value, dict):
        return {
            "type": "object",
            "properties": {name: _schema(each) for name, each in value.items()},
            "required": list(value),
            "additionalProperties": False,
        }
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0])}
    return {"type": "string"} if isinstance(value, str) else {"const": value}


class DescriptionBesideGate:
    """ASGI application: `GET /openapi.json` is answered with `document`, past the gate, as it holds
    nothing of any account; everything else goes through the gate.

    Args:
        gate: the guarded bank.
    """

    def __init__(self, gate: ASGIApp) -> None:
        self._gate = gate
        self._body = json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(self._body)),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._body})
        else:
            await self._gate(scope, receive, send)
