"""What comes in one turn of the event loop is worked on together, stage by stage: all of it is
decided on, then all that is admitted is handed on. A processor that has just run a stage's code
runs it again from its caches; going through all stages with one request after the other costs a
quarter more (docs/decisions.md, 123).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger("guarita.serving")


class Turn:
    """The stages of an event loop, in their order."""

    __slots__ = ("_stages", "planned")

    def __init__(self) -> None:
        self._stages: list[Stage[object]] = []
        self.planned = False

    def __len__(self) -> int:
        """How many items wait."""
        return sum(map(len, self._stages))

    def stage(self, work: "Callable[[T], object]") -> "Stage[T]":
        """A further stage; see `Stage`."""
        stage = Stage(self, work)
        self._stages.append(stage)  # type: ignore[arg-type]  # a list of any items' stages
        return stage

    def plan(self) -> None:
        """Have the stages run once the loop has heard of all that has come."""
        self.planned = True
        asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        for stage in self._stages:
            stage.run()
        self.planned = False
        for stage in self._stages:
            if len(stage):  # added by a later stage
                self.plan()
                break


class Stage(Generic[T]):
    """What waits for one step of the work.

    Args:
        work: does it for one item. Has to deal with its own exceptions; one that escapes is logged,
            and the next item's turn comes.
    """

    __slots__ = ("_turn", "_waiting", "_work")

    def __init__(self, turn: Turn, work: Callable[[T], object]) -> None:
        self._turn = turn
        self._work = work
        self._waiting: list[T] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> None:
        """Have `item` worked on in this turn where the stage is still to come, else in the next."""
        self._waiting.append(item)
        if not self._turn.planned:
            self._turn.plan()

    def run(self) -> None:
        """Work on all that waits."""
        waiting, self._waiting = self._waiting, []
        work = self._work
        for item in waiting:
            try:
                work(item)
            except BaseException:  # whatever it is, the others wait
                log.exception("a step of a request failed")
