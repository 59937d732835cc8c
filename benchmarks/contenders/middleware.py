"""A child process, a contender: the ASGI middleware on uvicorn before a trivial application that
answers what the others' upstream answers.

Argument: {"core", "limit"}; speaks as `benchmarks.server`.
"""

import json
import sys
from typing import Any

from benchmarks.children import bind
from benchmarks.contenders import ours
from benchmarks.contenders.serving import serve_asgi
from benchmarks.world import TrivialApp
from guarita.serving.asgi import Guarita


def main(options: dict[str, Any]) -> None:
    bind(options["core"])
    app = TrivialApp()
    serve_asgi(Guarita(app, ours.profile(options["limit"]), ours.backend()), app)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
