"""Makes the cases that `tests/vectors/delfinance/order.json` implies, per environment."""

import msgspec

from tests.vectors_delfinance import Case, Request, VectorFile, Want, read
from tests.vectors_order import Exclusive, alone_and_paired, faulty
from tests.vectors_order import Fault as AnyFault


class Fault(AnyFault, frozen=True, kw_only=True):
    """Members of `certificate` are put over those of the good certificate."""

    want: Want


class OrderFile(VectorFile, frozen=True, kw_only=True):
    """`faults`: earliest first. `skipped`: the layers an environment does not have."""

    skipped: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...]
    exclusive: tuple[Exclusive, ...]

    def of(self, environment: str) -> list[Fault]:
        """The faults an environment can answer, earliest first."""
        skipped = self.skipped[environment]
        return [fault for fault in self.faults if fault.want.layer not in skipped]


def load_order() -> OrderFile:
    """`order.json`. Raises `msgspec.ValidationError` with the path of what does not fit."""
    return msgspec.convert(read("order"), OrderFile)


def order_cases() -> list[Case]:
    """Per environment every fault alone, and every pair that can coexist, expecting the earlier."""
    file = load_order()
    return [
        msgspec.convert(
            faulty(environment, Request(), faults, given={"environment": environment}), Case
        )
        for environment in file.skipped
        for faults in alone_and_paired(file, file.of(environment))
    ]
