"""The bank's settings: fees, delays, limits. Amounts in base units (1/10,000 BRL), times in
seconds.
"""

from dataclasses import dataclass, field

from guarita.sandbox.text import identifiers
from guarita.sandbox.text.brcode import MAX_AMOUNT_CENTAVOS as MAX_AMOUNT_CENTAVOS

MAX_SETTING = 10**15  # of an amount of money in `Rules`
MAX_BALANCE = 10**16  # of an account, far inside SQLite's 64 bits
BASE_UNITS_PER_CENTAVO = 100  # requests in centavos, responses in 1/10,000 BRL, fact sheet §2
SHORTEST_S = 0.001  # of times that repeat: the bank counts in milliseconds

# Invented: no bank has these codes, so nobody mistakes a simulated counterparty for a real one.
SIMULATED_BANKS = (
    ("90000001", "Banco Aurora"),
    ("90000002", "Banco Ipê"),
    ("90000003", "Cooperativa Serra Azul"),
    ("90000004", "Jatobá Pagamentos"),
    ("90000005", "Banco Maré Alta"),
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A leaky bucket: `capacity` look-ups at once, leaking `per_second`."""

    capacity: int
    per_second: float

    def __post_init__(self) -> None:
        if type(self.capacity) is not int or self.capacity < 1 or not self.per_second > 0:
            raise ValueError(
                "a bucket takes a capacity of 1 or more and leaks more than 0 per second, not"
                f" {self.capacity!r} and {self.per_second!r}"
            )


@dataclass(frozen=True, slots=True)
class Rules:
    """What the bank charges, how long things take, and how much is allowed.

    Raises `ValueError` for settings that cannot be right.
    """

    opening_balance: int = 500_000_000
    fee: int = 350
    """Of each payout and each receipt (fact sheet §2, §7.1)."""
    ispb: str = identifiers.ISPB
    settlement_delay_s: float = 1.0
    """From a payout's or refund's acceptance to its settlement."""
    review_s: float = 10.0
    """How long a payout is held for review, and a scenario waits before its next step."""
    queue_retry_s: float = 3.0
    queue_limit_s: float = 7200.0
    """How long a queued payout is tried again (fact sheet §6.2)."""
    queue_max: int = 1000
    """How many payouts of an account may be queued: they need no money, so nothing else ends it."""
    charge_lifetime_s: float = 86_400.0
    sweep_s: float = 300.0
    """Charges that have ended are swept this often (fact sheet §6.1)."""
    dict_per_account: Bucket = field(default=Bucket(10_000, 100.0))
    dict_global: Bucket = field(default=Bucket(50_000, 500.0))

    def __post_init__(self) -> None:
        for name in ("opening_balance", "fee"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= MAX_SETTING:
                raise ValueError(
                    f"{name} must be an integer of base units from 0 to {MAX_SETTING},"
                    f" not {value!r}"
                )
        if type(self.queue_max) is not int or self.queue_max < 1:
            raise ValueError(f"queue_max must be an integer of 1 or more, not {self.queue_max!r}")
        if len(self.ispb) != 8 or not (self.ispb.isascii() and self.ispb.isdigit()):
            raise ValueError(f"ispb must be 8 digits, not {self.ispb!r}")
        if self.ispb in dict(SIMULATED_BANKS):
            raise ValueError(f"ispb must not be that of a simulated bank, as {self.ispb} is")
        for name in ("settlement_delay_s", "review_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more seconds, not {getattr(self, name)!r}")
        for name in ("queue_retry_s", "queue_limit_s", "charge_lifetime_s", "sweep_s"):
            if not SHORTEST_S <= getattr(self, name) < float("inf"):
                raise ValueError(
                    f"{name} must be {SHORTEST_S} or more seconds, not {getattr(self, name)!r}"
                )
