"""A PIX bank to develop against and to put behind a gate: an ordinary ASGI application with real
money laws.

What belongs here: the names a user of the sandbox needs. The package knows nothing of Guarita's
layers and imports nothing from the rest of `guarita`; who is calling reaches it as an account id
(see `identity`).

How it is laid out, lowest first:

- `database`, `migrations/`: one SQLite file, its connections, its schema
- `ledger`: double entry; `audit`: the proof that the books are right
- `identifiers`, `pix_keys`: pure functions over ids and keys
- `payments`: use cases on an open connection; `bank`: the same use cases with their transactions,
  without HTTP
- `bodies`, `identity`, `errors`, `app`: the HTTP face
"""

from guarita.sandbox.app import create_app
from guarita.sandbox.audit import Audit, check_ledger
from guarita.sandbox.bank import Bank
from guarita.sandbox.payments import CashOut, Payment

__all__ = ["Audit", "Bank", "CashOut", "Payment", "check_ledger", "create_app"]
