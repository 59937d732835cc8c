"""The OpenAPI 3.1 document, from the definitions that read requests and render answers.

What belongs here: how the table of operations becomes a document. No operation is described here.
"""

import re
from typing import Any

from guarita.sandbox.api import events
from guarita.sandbox.api.bodies import Body, Query, Variants
from guarita.sandbox.api.endpoint import Answer, Endpoint
from guarita.sandbox.api.endpoints import ENDPOINTS, PREFIX
from guarita.sandbox.api.errors import ATOMS
from guarita.sandbox.api.fields import Schema
from guarita.sandbox.api.shapes import SHAPES
from guarita.sandbox.pix.scenarios import HEADER, PAGE, SCENARIOS, Operation

VERSION = "3.1.0"

_ABOUT = (
    "A PIX bank to develop against. Amounts are centavos in requests and base units (1/10,000 BRL)"
    f" in answers and events. The header `{HEADER}`, and texts such as `sandbox:held`, make the"
    f" bank and the simulated other banks behave as {PAGE} lists."
)
_FIELDS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "minProperties": 1,
}
_TEXTS: dict[int, tuple[str, ...]] = {
    401: ("invalid credentials",),
    404: ("Transaction not found",),
    413: ("Request body is too large",),
    422: ("Invalid PIX key format",),
    500: ("Internal server error",),
    503: ("Service unavailable",),
}
_MEANINGS = {
    400: "The request cannot be read.",
    401: "The request comes with no account.",
    404: "There is no such thing, or it is another account's.",
    413: "The body is longer than 1 MiB.",
    422: "The request is well formed and cannot be carried out.",
    500: "The bank failed.",
    503: "The bank is out of service.",
}


def document() -> Schema:
    """The whole document. Paths are below the server's `/api/external`."""
    paths: dict[str, Schema] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    shapes = {shape.name: shape.schema() for shape in SHAPES}
    taken = {body.name: body.schema() for each in ENDPOINTS for body in bodies(each)}
    return {
        "openapi": VERSION,
        "info": {"title": "Guarita sandbox bank", "version": "1", "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "webhooks": events.webhooks(),
        "components": {"schemas": shapes | taken},
    }


def operation_id(endpoint: Endpoint) -> str:
    """Such as `post_pix_cash_out`."""
    return _id(endpoint.method, endpoint.path)


def _id(method: str, path: str) -> str:
    return re.sub("[^a-z0-9]+", "_", f"{method.lower()}{path}").strip("_")


def _operation(endpoint: Endpoint) -> Schema:
    described: Schema = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "description": _description(endpoint),
        "x-permission": endpoint.permission,
        "parameters": [*_path(endpoint), *_query(endpoint.query), _scenario(endpoint.operation)],
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": _content(endpoint.body)},
        }
    return described


def _description(endpoint: Endpoint) -> str:
    text = f"Behind a gate it takes the permission `{endpoint.permission}`."
    if endpoint.events:
        text += " Events: " + ", ".join(f"`{name}`" for name in endpoint.events) + "."
    return text


def _path(endpoint: Endpoint) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": endpoint.path_text,
            "schema": {"type": "string", "minLength": 1}
            | ({"pattern": endpoint.path_pattern} if endpoint.path_pattern else {}),
        }
        for name in _parameters(endpoint.path)
    ]


def _query(query: Query | None) -> list[Schema]:
    return [
        {
            "name": member.name,
            "in": "query",
            "description": member.text,
            "schema": member.field.schema()
            | ({"default": member.default} if member.default is not None else {}),
        }
        for member in (query.members if query else ())
    ]


def _scenario(operation: Operation) -> Schema:
    names = [each.name for each in SCENARIOS.values() if operation in each.operations]
    return {
        "name": HEADER,
        "in": "header",
        "description": f"A scenario, see {PAGE}.",
        "schema": {"type": "string", "enum": names},
    }


def bodies(endpoint: Endpoint) -> tuple[Body, ...]:
    """The bodies an operation takes: none, one, or two variants."""
    if isinstance(endpoint.body, Variants):
        return (endpoint.body.usual, endpoint.body.special)
    return () if endpoint.body is None else (endpoint.body,)


def _content(body: Body | Variants) -> Schema:
    if isinstance(body, Body):
        return {"schema": _reference(body), "example": dict(body.example)}
    variants = (body.usual, body.special)
    return {
        "schema": {"oneOf": [_reference(each) for each in variants]},
        "examples": {each.name: {"value": dict(each.example)} for each in variants},
    }


def _reference(body: Body) -> Schema:
    return {"$ref": f"#/components/schemas/{body.name}"}


def _responses(endpoint: Endpoint) -> Schema:
    successes = {str(each.status): _success(each, endpoint) for each in endpoint.answers}
    statuses = [400, 401, 404, *([413] if endpoint.body else []), 422, 500, 503]
    return successes | {str(status): _error(status, endpoint) for status in statuses}


def _success(answer: Answer, endpoint: Endpoint) -> Schema:
    content: Schema = {"schema": answer.schema, "example": answer.example}
    if answer.others:
        content = {"schema": answer.schema, "examples": _numbered(answer.example, *answer.others)}
    described: Schema = {"description": answer.text, "content": {"application/json": content}}
    links = {
        _id(link.method, link.path): {
            "operationId": _id(link.method, link.path),
            "parameters": dict.fromkeys(_parameters(link.path), f"$response.body#{link.value}"),
        }
        for link in endpoint.links
        if link.status == answer.status
    }
    return described | ({"links": links} if links else {})


def _parameters(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _error(status: int, endpoint: Endpoint) -> Schema:
    """An answer of the business family. Any operation can be made to give any by a scenario."""
    detail = _FIELDS if status == 400 else {"type": "string"}
    schema = _object("errors", _object(ATOMS[status], detail))
    example: Any = {"amount": ["is required"]}
    if isinstance(endpoint.body, Body) and not endpoint.body.in_family and status == 400:
        schema = {"anyOf": [schema, _object("errors", _FIELDS)]}
        return _refusal(status, schema, [{"errors": {"events": [endpoint.body.missing]}}])
    if status == 400:
        return _refusal(status, schema, [{"errors": {ATOMS[status]: example}}])
    texts = endpoint.refusals.get(status, _TEXTS[status])
    return _refusal(status, schema, [{"errors": {ATOMS[status]: text}} for text in texts])


def _refusal(status: int, schema: Schema, examples: list[Any]) -> Schema:
    content: Schema = {"schema": schema, "examples": _numbered(*examples)}
    return {"description": _MEANINGS[status], "content": {"application/json": content}}


def _numbered(*examples: Any) -> Schema:
    return {f"{number}": {"value": each} for number, each in enumerate(examples, 1)}


def _object(name: str, schema: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {name: schema},
        "required": [name],
        "additionalProperties": False,
    }
