"""Answers the asks of a flow: one driver for synchronous answerers, one for asynchronous ones. The
core's only way out.

An answerer is a callable `answer(ask)`. An exception it raises is thrown into the flow at the
`yield`, so that the asking layer can apply its `on_outage` setting and a reservation can be given
up on cancellation.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from guarita.asks import Ask, Flow

T = TypeVar("T")
Answer = Callable[[Ask], Any]
"""Answers one ask, with the answer itself or (asynchronous driver only) with an awaitable of it."""


def run(flow: Flow[T], answer: Answer) -> T:
    """Run `flow` to its end with synchronous answers. Raises TypeError for an answerer that returns
    an awaitable.
    """
    try:
        ask = next(flow)
        while True:
            try:
                reply = answer(ask)
                if isinstance(reply, Awaitable):
                    raise TypeError(
                        f"{type(ask).__name__} was answered with an awaitable; use run_async"
                    )
            except BaseException as problem:
                ask = flow.throw(problem)
            else:
                ask = flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def run_async(flow: Flow[T], answer: Answer, ask: Ask | None = None) -> T:
    """Run `flow` to its end, awaiting the answers that are awaitable. `ask` is what a flow that has
    already begun yielded last.
    """
    try:
        if ask is None:
            ask = next(flow)
        while True:
            try:
                reply = answer(ask)
                if hasattr(reply, "__await__"):
                    reply = await reply
            except BaseException as problem:
                ask = flow.throw(problem)
            else:
                ask = flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
