"""A client that meets "Validation expired" and does what its documentation says: it tries again, on
a new connection. Python's standard library only.

    guarita --json demo --validation-ttl 5 > demo.json     (in another terminal)
    python examples/validation_expired.py demo.json        ("-" reads the line from standard input)

A client certificate is verified once per connection, and that counts for the demo's
--validation-ttl. A client that keeps its connections open longer therefore meets this answer in the
ordinary course of business, with `Connection: close`, and has to be ready for it.
"""

import argparse
import json
import ssl
import sys
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PAUSE_S = 0.5  # shorter than servers keep a silent connection open
EXPIRED = '{"message":"Validation expired"}'


class Answer(NamedTuple):
    """Status, body, what becomes of the connection, and the number support asks for."""

    status: int
    body: str
    connection: str
    ray: str


def main() -> int:
    """0 when the answers were as described, else 1."""
    parser = argparse.ArgumentParser(description="Meet `Validation expired` on one connection.")
    parser.add_argument("ready", help="file with the line of `guarita --json demo`; - for stdin")
    parser.add_argument("--at-most", type=float, default=60, metavar="SECONDS", help="(default 60)")
    options = parser.parse_args()
    source = sys.stdin if options.ready == "-" else Path(options.ready).open(encoding="utf-8")  # noqa: SIM115
    with source:
        demo = json.load(source)["delfinance"]
    connection = connect(demo)
    try:
        return walk(connection, demo, options.at_most)
    except (OSError, HTTPException) as error:
        print(f"no answer from {demo['base_url']}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()


def walk(connection: HTTPSConnection, demo: dict[str, Any], at_most_s: float) -> int:
    """Ask over the one connection until the answer changes, then over a new one."""
    began = time.monotonic()
    answer = get(connection, demo)
    print(f"first request:   {answer.status}")
    while answer.status == 200 and time.monotonic() - began < at_most_s:
        time.sleep(PAUSE_S)
        answer = get(connection, demo)
    if answer.status == 200:
        print(
            f"still 200 after {at_most_s:g} s: start the demo with --validation-ttl 5",
            file=sys.stderr,
        )
        return 1
    print(f"after {time.monotonic() - began:4.1f} s:    {answer.status} {answer.body}")
    print(f"                 Connection: {answer.connection}, Ray-ID: {answer.ray}")
    if (answer.status, answer.body, answer.connection) != (401, EXPIRED, "close"):
        return 1
    connection.close()  # http.client opens a new one by itself: a new handshake
    answer = get(connection, demo)
    print(f"new connection:  {answer.status}")
    return 0 if answer.status == 200 else 1


def connect(demo: dict[str, Any]) -> HTTPSConnection:
    """A connection to the demo that presents the demo's client certificate."""
    context = ssl.create_default_context(cafile=demo["ca"])
    context.load_cert_chain(demo["certificate"], demo["private_key"])
    place = urlsplit(demo["base_url"])
    return HTTPSConnection(place.hostname or "", place.port, timeout=10, context=context)


def get(connection: HTTPSConnection, demo: dict[str, Any]) -> Answer:
    """What the gate says to `GET /v1/resource`."""
    headers = {
        "x-delbank-api-key": demo["api_key"],
        "x-delfinance-account-id": demo["account_id"],
    }
    connection.request("GET", "/v1/resource", headers=headers)
    response = connection.getresponse()
    return Answer(
        response.status,
        response.read().decode(),
        (response.getheader("Connection") or "keep-alive").lower(),
        response.getheader("Ray-ID") or "none",
    )


if __name__ == "__main__":
    sys.exit(main())
