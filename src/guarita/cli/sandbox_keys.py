"""`guarita sandbox keys|key-add|qr`: PIX keys of the bank's accounts, and static QR codes for any
key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guarita.cli import files, sandbox_bank
from guarita.cli.output import OK, MisuseError, emit, fields, table
from guarita.cli.sandbox_amount import Centavos
from guarita.cli.settings import current

if TYPE_CHECKING:
    from guarita.sandbox.books.accounts import RegisteredKey
    from guarita.sandbox.text.pix_keys import PixKey


_CITY = "SAO PAULO"
_PIXELS_PER_MODULE = 8


def keys(account: str, /) -> int:
    """List the PIX keys that lead to an account of the bank, oldest first.

    Parameters
    ----------
    account
        The account_id, as `guarita account list` shows it.
    """
    with sandbox_bank.opened() as bank:
        sandbox_bank.require_account(bank, account)
        found = bank.pix_keys(account)
    rows = [(one.key, one.key_type, one.status, one.created_at) for one in found]
    text = table(("key", "key_type", "status", "created_at"), rows, "It has no keys.")
    emit(current().json, [_document(one) for one in found], text)
    return OK


def key_add(account: str, key: str, /) -> int:
    """Let a PIX key lead to an account of the bank: payouts to it then arrive there.

    Parameters
    ----------
    account
        The account_id, as `guarita account list` shows it.
    key
        CPF (11 digits), CNPJ (14 characters), e-mail, phone (+55…) or a random key (UUID).
    """
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.world import World

        wanted = _key(key)
        sandbox_bank.require_account(bank, account)
        added = World(bank).add_key(account, wanted.value, wanted.type)
    document = _document(added)
    emit(current().json, document, fields(list(document.items())))
    return OK


def qr(
    key: str,
    /,
    *,
    amount: Centavos | None = None,
    out: Path | None = None,
    force: bool = False,
) -> int:
    """Print the BR Code (the text inside a static QR code) that pays a PIX key.

    It can be paid again and again, also by POST /pix/cash-out with the member emv. Dynamic codes,
    paid once, come from POST /pix/cash-in.

    Parameters
    ----------
    key
        Any PIX key, of this bank or not.
    amount
        What is to be paid, in centavos; without it the payer chooses.
    out
        Write the QR code as a PNG file as well.
    force
        Overwrite that file.
    """
    with sandbox_bank.opened() as bank:
        from guarita.sandbox.books import accounts
        from guarita.sandbox.pix import directory
        from guarita.sandbox.text.brcode import BrCode

        wanted = _key(key)
        with bank.database.reading() as conn:
            owner = accounts.owner_of(conn, wanted.value)
            customer = None if owner is None else accounts.customer(conn, owner)
        name = directory.look_up(wanted).name if customer is None else customer.name
        code = BrCode.static(wanted, merchant_name=name, city=_CITY, amount_centavos=amount).text
        if out is not None:
            files.refuse_existing([out], force=force)
            files.write(out, _png(code), force=force)
    file = None if out is None else str(out.resolve())
    emit(current().json, {"qr_code": code, "png": file}, code)
    return OK


def _key(text: str) -> "PixKey":
    """Raises MisuseError for a text that is no key."""
    from guarita.sandbox.text import pix_keys

    try:
        return pix_keys.parse(text)
    except pix_keys.InvalidPixKey:
        raise MisuseError(
            f"{text!r} has not the shape of a PIX key: CPF (11 digits), CNPJ (14 characters),"
            " e-mail, phone (+55…) or random key (UUID)"
        ) from None


def _png(code: str) -> bytes:
    import io

    import segno

    buffer = io.BytesIO()
    segno.make(code, error="m", micro=False).save(buffer, kind="png", scale=_PIXELS_PER_MODULE)
    return buffer.getvalue()


def _document(key: "RegisteredKey") -> dict[str, Any]:
    return {
        "key": key.key,
        "key_type": key.key_type,
        "account": key.account,
        "status": key.status,
        "created_at": key.created_at,
    }
