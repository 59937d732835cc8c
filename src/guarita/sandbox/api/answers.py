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


def one(
    member: str, shape: Shape, thing: Any, text: str, *others: tuple[Shape, Any]
) -> tuple[Answer]:
    """An answer that holds an object of the shape (or of one of the others) as one member."""
    references = [each.reference() for each, _ in ((shape, thing), *others)]
    schema = envelope({member: {"anyOf": references} if others else references[0]})
    shown = [
        {"worked": True, member: each.of(example, examples.RULES)}
        for each, example in ((shape, thing), *others)
    ]
    return (Answer(200, text, schema, shown[0], tuple(shown[1:])),)


def many(
    member: str, shape: Shape, thing: Any, text: str, *others: tuple[Shape, Any]
) -> tuple[Answer]:
    """An answer that holds an array of such objects as one member."""
    references = [each.reference() for each, _ in ((shape, thing), *others)]
    items = {"type": "array", "items": {"anyOf": references} if others else references[0]}
    shown = [each.of(example, examples.RULES) for each, example in ((shape, thing), *others)]
    return (Answer(200, text, envelope({member: items}), {"worked": True, member: shown}),)


def found(shape: Shape, text: str) -> tuple[Answer]:
    """An answer that holds a transaction of this shape, or a charge."""
    return one("data", shape, examples.PAYOUT, text, (shapes.CHARGE, examples.CHARGE))


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
