"""The books: who has how much and why, in one SQLite file. Everything here works on an open
connection; when a transaction begins and ends is `bank`'s affair.

- `ledger`: double entry
- `bank_row`: the bank's secret, and the newest time anything happened at
- `accounts`: customers, their PIX keys and balances
- `transactions`: the record of each transaction, the states it may pass through, its queries;
  `charges`: the same of QR codes; `finding`: both by their names; `statement`: the list of an
  account's transactions
- `audit`: the proof that the books are right; `laws`, `story_laws`, `row_laws`: what it proves
"""
