"""What `guarita demo` prints for a person: credentials, and commands that work when pasted into a
POSIX shell. Comments in them hold no quotes: an interactive zsh reads comments as commands."""

import shlex
import shutil
import sys
from pathlib import Path
from string import Template
from typing import Any

_TEXT = Template(
    """\
Guarita demo: a sandbox bank behind the gate, on $base_url.
Data folder: $data
The keys are good until the next demo starts there. Ctrl-C ends the demo.
Next: the tour in docs/sandbox.md (receive, send, refund, dispute, webhooks). It starts the demo,
in place of this one, with: make -s demo ARGS=--json > demo.json
The API for programs: $base_url/openapi.json

Paste into another terminal:

# Credentials
BASE_URL=$base_url
CLIENT_ID=$client_id
CLIENT_SECRET=$client_secret

# 1. Balance
curl -sS -i -w '\\n' -X GET "$$BASE_URL/api/external/balance" \\
  -H "Authorization: ApiKey $$CLIENT_ID:$$CLIENT_SECRET"

# 2. PIX cash-out: signed, and executed once per Idempotency-Key
BODY='{"amount":3000,"description":"Pagamento","pix_key":"12345678901","pix_key_type":"cpf"}'
HMAC=$$(printf %s "$$BODY" | openssl dgst -sha512 -hmac "$$CLIENT_SECRET" | awk '{print $$NF}')
curl -sS -i -w '\\n' -X POST "$$BASE_URL/api/external/pix/cash-out" \\
  -H "Authorization: ApiKey $$CLIENT_ID:$$CLIENT_SECRET" \\
  -H "Content-Type: application/json" \\
  -H "hmac: $$HMAC" \\
  -H "Idempotency-Key: cashout-order-9876" \\
  -d "$$BODY"

# 3. The same again: answered from the record, see x-idempotent-replay; no second payment
curl -sS -i -w '\\n' -X POST "$$BASE_URL/api/external/pix/cash-out" \\
  -H "Authorization: ApiKey $$CLIENT_ID:$$CLIENT_SECRET" \\
  -H "Content-Type: application/json" \\
  -H "hmac: $$HMAC" \\
  -H "Idempotency-Key: cashout-order-9876" \\
  -d "$$BODY"

# 4. One byte of the body changed, the signature kept: 401
RAY=$$(curl -sS -i -w '\\n' -X POST "$$BASE_URL/api/external/pix/cash-out" \\
  -H "Authorization: ApiKey $$CLIENT_ID:$$CLIENT_SECRET" \\
  -H "Content-Type: application/json" \\
  -H "hmac: $$HMAC" \\
  -d "$$(printf %s "$$BODY" | sed s/3000/9000/)" \\
  | tee /dev/stderr | tr -d '\\r' | awk 'tolower($$1) == "ray-id:" {print $$2}')

# 5. Why it was refused
$guarita explain "$$RAY"

# 6. The other merchant is paid from outside; then the proof that the books are right
OTHER_PIX_KEY=$other_pix_key
$guarita sandbox pay "$$OTHER_PIX_KEY" --amount 4590
$guarita sandbox check-ledger

# 7. The key revoked: within a second the gate refuses it, without a restart
$guarita key revoke "$$CLIENT_ID"

# The other merchant: its credentials for the same commands
CLIENT_ID=$other_client_id
CLIENT_SECRET=$other_client_secret

# Delfinance, on $tls_url: API key, account and client certificate
API_KEY=$api_key
ACCOUNT_ID=$account_id
curl -sS -i -w '\\n' $tls_url/v1/resource --cacert $ca \\
  --cert $certificate --key $private_key \\
  -H "x-delbank-api-key: $$API_KEY" -H "x-delfinance-account-id: $$ACCOUNT_ID"

# The same with the PKCS#12 file
curl -sS -i -w '\\n' $tls_url/v1/resource --cacert $ca \\
  --cert-type P12 --cert $pkcs12:$pkcs12_password \\
  -H "x-delbank-api-key: $$API_KEY" -H "x-delfinance-account-id: $$ACCOUNT_ID"

# Without a certificate: 403
curl -sS -i -w '\\n' $tls_url/v1/resource --cacert $ca \\
  -H "x-delbank-api-key: $$API_KEY" -H "x-delfinance-account-id: $$ACCOUNT_ID"
"""
)


def ready(document: dict[str, Any]) -> str:
    """The text for a demo described by the ready document, its secret included."""
    bank, tls = document["minhakonta"], document["delfinance"]
    other = document["other_merchant"]
    return _TEXT.substitute(
        base_url=bank["base_url"],
        client_id=bank["client_id"],
        client_secret=bank["client_secret"],
        data=document["data"],
        tls_url=tls["base_url"],
        api_key=tls["api_key"],
        account_id=tls["account_id"],
        other_client_id=other["client_id"],
        other_client_secret=other["client_secret"],
        other_pix_key=other["pix_key"],
        pkcs12_password=tls["pkcs12_password"],
        **{name: shlex.quote(tls[name]) for name in ("ca", "certificate", "private_key", "pkcs12")},
        guarita=f"{_program()} --data {shlex.quote(document['data'])}",
    )


def _program() -> str:
    """How this program can be called from another terminal: by name where that finds it."""
    called = Path(sys.argv[0])
    if called.name == "guarita" and called.is_file():
        found = shutil.which("guarita")
        if found and Path(found).resolve() == called.resolve():
            return "guarita"
        return shlex.quote(str(called.absolute()))
    return f"{shlex.quote(sys.executable)} -m guarita.cli"
