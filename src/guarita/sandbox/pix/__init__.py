"""Why money moves: payouts, charges, receipts, refunds, returns, disputes, and the simulated world
they run in. Use cases on an open connection; when a transaction begins and ends is `bank`'s affair.

- `rules`: the bank's settings; `scenarios`: the documented magic values; `reasons`: reason codes
- `directory`: which bank a key leads to (DICT), and how often that may be asked; `destinations`:
  who a key or QR code of an order leads to
- `payouts`, `charges`, `receipts`, `refunds`, `returns`, `disputes`: one file per kind of business
- `notices`: the webhook events of transactions; `settlement`: what is due, done
"""
