"""A PIX bank to develop against and to put behind a gate: an ordinary ASGI application with real
money laws.

What belongs here: the names a user of the sandbox needs. The package knows nothing of Guarita's
layers and imports nothing from the rest of `guarita`; who is calling reaches it as an account id
(see `api.identity`).

How it is laid out, lowest first:

- `text/`: pure functions over ids, keys, documents, codes
- `database`, `migrations/`: one SQLite file, its connections, its schema
- `books/`: double entry, accounts, transactions; `audit`: the proof that the books are right
- `webhooks/`: the outbox of events and their delivery
- `pix/`: why money moves, and the simulated world it moves in
- `bank`: the use cases with their transactions, without HTTP; `world`: the other side
- `api/`: the HTTP face; `resource`: another upstream, without operations
"""

from guarita.sandbox.api.app import create_app
from guarita.sandbox.bank import Bank
from guarita.sandbox.books.audit import Audit, check_ledger
from guarita.sandbox.pix.rules import Rules

__all__ = ["Audit", "Bank", "Rules", "check_ledger", "create_app"]
