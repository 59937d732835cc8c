"""The served document as a judge: whether bodies, answers and events are as it says."""

import re
from typing import Any

import jsonschema_rs

from guarita.sandbox.api import openapi

DOCUMENT = openapi.document()


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """How a value breaks a schema of the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [f"{list(each.instance_path)}: {each.message}" for each in validator.iter_errors(value)]


def operation(method: str, path: str) -> dict[str, Any]:
    """The operation of a path below the prefix; fixed segments before parameters, as routed."""
    path = path.split("?")[0]
    fitting = [
        template
        for template in DOCUMENT["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    best = min(fitting, key=lambda template: ["{" in part for part in template.split("/")])
    found: dict[str, Any] = DOCUMENT["paths"][best][method.lower()]
    return found


def body_schema(of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = of["requestBody"]["content"]["application/json"]["schema"]
    return found


def answer_schema(of: dict[str, Any], status: int) -> dict[str, Any]:
    found: dict[str, Any] = of["responses"][str(status)]["content"]["application/json"]["schema"]
    return found
