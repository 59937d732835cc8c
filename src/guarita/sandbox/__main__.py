"""`python -m guarita.sandbox`: the bank served plain by uvicorn, without Guarita.

What belongs here: the command line and the server's settings.
"""

import argparse
import ipaddress
import logging
import sys
from pathlib import Path

from guarita.sandbox.app import create_app

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
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
