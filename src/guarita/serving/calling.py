"""A driver that calls back, for request paths without a task of their own. It stands here and not
in `guarita.drivers` because futures are the event loop's.
"""

from asyncio import Future, ensure_future
from collections.abc import Callable
from typing import Any, TypeVar

from guarita.asks import Ask, Flow
from guarita.drivers import Answer

T = TypeVar("T")


def run_calling(
    flow: Flow[T],
    answer: Answer,
    done: Callable[[T], object],
    failed: Callable[[BaseException], object],
    ask: Ask | None = None,
) -> None:
    """Run `flow` and call `done` with its result, or `failed` with the exception it ended with: at
    once where no answer has to be awaited, else on the running event loop. `ask` as in `run_async`.
    `done` and `failed` must not raise: where an answer was awaited, nobody but the loop would hear.
    """
    result: T
    try:
        if ask is None:
            ask = next(flow)
        while True:
            try:
                reply = answer(ask)
            except BaseException as problem:
                ask = flow.throw(problem)
                continue
            if hasattr(reply, "__await__"):
                ensure_future(reply).add_done_callback(_Waiting(flow, answer, done, failed).resume)
                return
            ask = flow.send(reply)
    except StopIteration as stop:
        result = stop.value
    except BaseException as error:
        failed(error)
        return
    done(result)


class _Waiting:
    """A flow whose last ask is still being answered."""

    __slots__ = ("answer", "done", "failed", "flow")

    def __init__(
        self,
        flow: Flow[T],
        answer: Answer,
        done: Callable[[T], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        self.flow: Flow[Any] = flow
        self.answer = answer
        self.done: Callable[[Any], object] = done
        self.failed = failed

    def resume(self, future: "Future[Any]") -> None:
        try:
            try:
                reply = future.result()
            except BaseException as problem:
                ask = self.flow.throw(problem)
            else:
                ask = self.flow.send(reply)
        except StopIteration as stop:
            self.done(stop.value)
        except BaseException as error:
            self.failed(error)
        else:
            run_calling(self.flow, self.answer, self.done, self.failed, ask)
