"""Answers as documented, from shapes and examples: what the table of operations repeats.

What belongs here: the usual forms of answers, and the links from them.
"""

from typing import Any

from guarita.sandbox.api import examples, shapes
from guarita.sandbox.api.endpoint import Answer, Link
from guarita.sandbox.api.shape import Shape, envelope

_PAGE = {"type": "integer", "minimum": 1}


def answer(shape: Shape, thing: Any, text: str, status: int = 200) -> tuple[Answer]:
    """An answer that is one shape."""
    return (Answer(status, text, shape.reference(), shape.of(thing, examples.RULES)),)


def one(member: str, shape: Shape, thing: Any, text: str, *others: Shape) -> tuple[Answer]:
    """An answer that holds an object of the shape (or of one of the others) as one member."""
    references = [each.reference() for each in (shape, *others)]
    schema = envelope({member: {"anyOf": references} if others else references[0]})
    return (Answer(200, text, schema, {"worked": True, member: shape.of(thing, examples.RULES)}),)


def many(member: str, shape: Shape, thing: Any, text: str, *others: Shape) -> tuple[Answer]:
    """An answer that holds an array of such objects as one member."""
    references = [each.reference() for each in (shape, *others)]
    items = {"type": "array", "items": {"anyOf": references} if others else references[0]}
    example = {"worked": True, member: [shape.of(thing, examples.RULES)]}
    return (Answer(200, text, envelope({member: items}), example),)


def page(text: str) -> tuple[Answer]:
    """A page of transactions."""
    items = {"type": "array", "items": shapes.TRANSACTION.reference(), "maxItems": 100}
    data = [shapes.TRANSACTION.of(examples.PAYOUT, examples.RULES)]
    example = {"worked": True, "data": data, "page": 1, "per_page": 20}
    schema = envelope({"data": items, "page": _PAGE, "per_page": _PAGE | {"maximum": 100}})
    return (Answer(200, text, schema, example),)


def queries(status: int) -> tuple[Link, ...]:
    """How to ask for a transaction just made."""
    return (
        Link(status, "GET", "/transactions/{id}", "/transaction_id"),
        Link(status, "GET", "/transactions/{id}/receipt", "/transaction_id"),
        Link(status, "GET", "/transactions/tag/{tag}", "/transaction_id"),
        Link(status, "GET", "/transactions/ref/{external_id}", "/external_id"),
    )
