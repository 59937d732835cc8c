"""The operations of the API, grouped by what they are about: the body each takes and what it does.

- `payments`: cash-out, cash-in, refund
- `transactions`: the queries over transactions
- `account`: balance, PIX keys, CPF
- `disputes`: MED; `webhooks`: registering them

A handler gets a checked `Call` and may block. What it cannot do it leaves to the exceptions of the
modules below, which `errors` turns into answers.
"""
