"""An upstream in Python's standard library: says who calls, as the gateway tells it.

PORT=9000 python upstream.py
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PREFIX = os.environ.get("PREFIX", "Guarita-")


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections
    disable_nagle_algorithm = True  # sends a head and its body without waiting in between

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        # The gateway alone sets these headers: they need no check here.
        seen = {
            "account": self.headers.get(PREFIX + "Account"),
            "key": self.headers.get(PREFIX + "Key"),
            "permissions": self.headers.get(PREFIX + "Permissions"),
            "address": self.headers.get(PREFIX + "Address"),
            "ray": self.headers.get(PREFIX + "Ray"),
            "subject": self.headers.get(PREFIX + "Certificate-Subject"),
            "authorization": self.headers.get("Authorization"),  # never arrives
            "method": self.command,
            "path": urlsplit(self.path).path,
            "body": body.decode(),
        }
        print(seen["method"], seen["path"], "by", seen["account"], "with", seen["key"], flush=True)
        answer = json.dumps(seen).encode()
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    ThreadingHTTPServer(("127.0.0.1", port), Upstream).serve_forever()
