"""What the bank answers when business cannot be done: one exception per status, with the text the
caller is told.

What belongs here: the two classes. The texts stand where the refusals arise.
"""


class Refused(ValueError):
    """An order that is well formed and cannot be carried out (422). `text` is for the caller."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Missing(LookupError):
    """What an order is about does not exist, or is another account's (404): a caller cannot tell
    which. `text` is told to the caller.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
