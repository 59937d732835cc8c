"""The demo's two merchants: accounts and keys of the gate, and their accounts in the bank."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guarita.cli import sandbox_bank
from guarita.cli.loopback import LOOPBACK
from guarita.keyring.keyring import IssuedKey, Keyring
from guarita.records import AccountStatus, KeyStatus

ACCOUNT_NAME = "Guarita demo"
OTHER_ACCOUNT_NAME = "Guarita demo, the other merchant"
LABEL = "demo"


def issue(keyring: Keyring, account_name: str) -> IssuedKey:
    """A fresh key with every permission for the account of this name, which is made where it is
    missing and activated where it is not active; its earlier demo keys are revoked."""
    from guarita.profiles.minhakonta import MINHA_KONTA

    named = [account for account in keyring.accounts() if account.name == account_name]
    account = named[0] if named else keyring.create_account(account_name)
    if account.status is not AccountStatus.ACTIVE:
        keyring.activate_account(account.account_id)
    for key in keyring.keys(account.account_id):
        if key.label == LABEL and key.status is not KeyStatus.REVOKED:
            keyring.revoke(key.client_id)
    return keyring.create_key(
        account.account_id,
        profile=MINHA_KONTA.name,
        permissions=sorted(MINHA_KONTA.table.permissions),
        allowlist=LOOPBACK,
        label=LABEL,
    )


def pix_keys(data: Path, account_ids: Sequence[str]) -> list[str]:
    """The oldest PIX key of each of these accounts of the bank in `data`; they are opened, in this
    order, where they are not open yet."""
    from guarita.sandbox import Bank, Rules

    with sandbox_bank.refusals(), sandbox_bank.opening():
        bank = Bank(data, rules=Rules())  # those the demo serves it with
    with bank:
        return [bank.pix_keys(account_id)[0].key for account_id in account_ids]


def credentials(issued: IssuedKey) -> dict[str, Any]:
    """A merchant's credentials as `--json` prints them, the secret included."""
    return {
        "account_id": issued.key.account.account_id,
        "client_id": issued.key.client_id,
        "client_secret": issued.secret.reveal(),
    }
