"""A secret in the one moment it exists outside of a request: between its making and the owner's
screen."""

import secrets
from typing import NoReturn, Self

from guarita.keyring.kinds import PAIR, Kind


class Secret:
    """A client_secret or an API key: a prefix and hexadecimal digits (see `kinds`).

    It is stored nowhere and printed by nothing: `repr`, `str`, `format`, `%`, `pickle` and every
    serialiser get "Secret(***)" or an error. Only `reveal` gives the text.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    @classmethod
    def generate(cls, kind: Kind = PAIR) -> Self:
        """A new secret from the operating system's random source."""
        return cls(kind.secret_prefix + secrets.token_hex(kind.secret_bytes))

    def reveal(self) -> str:
        """The secret itself, to be shown to its owner once."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: it must not be written anywhere")
