"""Reason codes: why a payout failed, and why money was given back.

What belongs here: the codes and their meaning in one line. They are codes of ISO 20022's external
code sets as the instant payment system (SPI) uses them, and two of the bank's own: `DUPL` (fact
sheet §3.4) and `DICT`.
"""

from typing import Final

# A payout that settles finds another one with its end-to-end id settled already.
DUPLICATE: Final = "DUPL"
# A queued payout could not be looked up in the directory of keys in time.
DIRECTORY: Final = "DICT"
OVER_THE_LIMIT: Final = "AM02"
INSUFFICIENT_BALANCE: Final = "AM04"
CHARGE_NOT_PAYABLE: Final = "BE17"
NOT_AUTHORISED: Final = "AG03"
REJECTED_BY_RECEIVER: Final = "DS04"
AGREED_RETURN: Final = "MD06"
FRAUD: Final = "FR01"

# Why a payout failed (`failure_reason`).
REASONS: Final[dict[str, str]] = {
    "AB03": "Settlement interrupted: time-out in the payment system",
    "AB09": "Interrupted by an error at the recipient's bank",
    "AB10": "Interrupted by an error at the bank that was to pass the payment on",
    "AB11": "Time-out at the payer's bank",
    "AC03": "The recipient's branch or account number does not exist or is invalid",
    "AC06": "The recipient's account is blocked",
    "AC07": "The recipient's account is closed",
    "AC14": "Wrong type for the recipient's account",
    "AG03": "The recipient's account does not support or authorise this kind of transaction",
    "AM01": "The amount is zero",
    "AM02": "The amount is over the limit of this kind of account",
    "AM04": "Not enough balance",
    "AM09": "The amount given back is more than the amount of the original payment",
    "BE01": "The recipient's CPF or CNPJ is not that of the account's holder",
    "BE17": "The QR code was rejected: it is paid, expired or unknown",
    "CH11": "The recipient's CPF or CNPJ is wrong",
    "DICT": "The PIX key could not be looked up in the directory within the time for it",
    "DS04": "Rejected by the recipient's bank",
    "DS27": "The bank is not registered or not yet active in the payment system",
    "DUPL": "A payment with this end-to-end id has settled already",
    "ED05": "Settlement failed",
    "FF07": "The purpose of the payment does not fit the other fields",
    "RC09": "The payer's bank code (ISPB) is invalid or unknown",
    "RC10": "The recipient's bank code (ISPB) is invalid or unknown",
    "RR04": "Rejected for a regulatory reason",
    "SL02": "The original transaction does not belong to the service it was sent under",
}

# Why money was given back (refunds and returns; fact sheet §6.4). Not checked in requests.
RETURN_REASONS: Final[dict[str, str]] = {
    "MD06": "Agreed between payer and recipient",
    "BE08": "Fraud",
    "AM09": "Wrong amount",
    "FR01": "Fraud",
    "RR04": "Payment not recognised",
    "SL02": "Error of the settlement or of the service",
}


def meaning(code: str) -> str | None:
    """The meaning of a code of either table, or `None` for one the bank does not know."""
    return REASONS.get(code) or RETURN_REASONS.get(code)
