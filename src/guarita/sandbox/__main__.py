"""`python -m guarita.sandbox`: the bank served plain by uvicorn, without Guarita.

What belongs here: the command line and the server's settings.
"""

import argparse
import ipaddress
import logging
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from guarita.sandbox.api.app import create_app
from guarita.sandbox.pix.rules import Bucket, Rules
from guarita.sandbox.webhooks import signing

logger = logging.getLogger("guarita.sandbox")


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 2 for settings that cannot be right."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    try:
        import uvicorn
    except ImportError:
        print("serving the sandbox needs uvicorn: pip install 'guarita[demo]'", file=sys.stderr)
        return 2
    if not _is_loopback(options.host):
        if not options.unsafe_public:
            print(
                f"{options.host} is not a loopback address, and this bank asks nobody for"
                " credentials: use 127.0.0.1, put Guarita in front, or add --unsafe-public",
                file=sys.stderr,
            )
            return 2
        logger.warning("unsafe: an open bank on %s, anybody can move its money", options.host)
    try:
        app = create_app(
            options.data,
            account=options.account,
            trust_identity_headers=options.trust_identity_headers,
            rules=Rules(**{each.name: getattr(options, each.name) for each in fields(Rules)}),
            unsafe_loopback_webhooks=options.unsafe_loopback_webhooks,
            webhook_header_prefix=options.webhook_header_prefix,
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    uvicorn.run(app, host=options.host, port=options.port, access_log=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m guarita.sandbox", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of bank.db")
    identity = parser.add_mutually_exclusive_group(required=True)
    identity.add_argument("--account", help="the one account served")
    identity.add_argument(
        "--trust-identity-headers",
        action="store_true",
        help="take the account from Guarita-Account, as set by a gateway in front",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--unsafe-public", action="store_true", help="allow a host that is not loopback"
    )
    webhooks = parser.add_argument_group("webhooks")
    webhooks.add_argument(
        "--unsafe-loopback-webhooks",
        action="store_true",
        help="let webhooks lead to this machine, for development",
    )
    webhooks.add_argument(
        "--webhook-header-prefix", default=signing.DEFAULT_PREFIX, help="default: %(default)s"
    )
    rules = parser.add_argument_group(
        "rules", "amounts in base units (1/10,000 BRL), times in seconds"
    )
    for rule in fields(Rules):
        _add_rule(rules, rule.name, rule.default)
    return parser


def _add_rule(rules: Any, name: str, default: object) -> None:
    """One option per setting of `Rules`; a bucket is written CAPACITY/PER_SECOND."""
    is_bucket = isinstance(default, Bucket)
    shown = f"{default.capacity}/{default.per_second}" if isinstance(default, Bucket) else default
    rules.add_argument(
        "--" + name.replace("_", "-"),
        type=_bucket if is_bucket else type(default),
        default=default,
        metavar="CAPACITY/PER_SECOND" if is_bucket else None,
        help=f"default: {shown}",
    )


def _bucket(text: str) -> Bucket:
    capacity, _, per_second = text.partition("/")
    return Bucket(int(capacity), float(per_second))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
