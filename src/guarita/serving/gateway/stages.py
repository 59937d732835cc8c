"""What requests of one turn of the event loop go through together; see `turn`."""

from guarita.serving.gateway.answering import Answering
from guarita.serving.gateway.exchange import Exchange
from guarita.serving.gateway.turn import Turn


class Stages:
    """The stages of the gateway, one set for all sites of an event loop.

    Attributes:
        answered: the upstream's whole answer is here.
        begun: a request's head is here.
        admitted: it may be handed on.
    """

    __slots__ = ("admitted", "answered", "begun", "turn")

    def __init__(self) -> None:
        self.turn = turn = Turn()
        # Answers first: what they free is used by the requests behind them.
        self.answered = turn.stage(Answering.conclude)
        self.begun = turn.stage(Exchange.begin)
        self.admitted = turn.stage(Exchange.hand_on)
