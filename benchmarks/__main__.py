"""The command: `python -m benchmarks [NAME…] [--quick] [--write FILE]`."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import gateway, layers, middleware, mtls, payments, soak, stores, tail
from benchmarks.children import Void
from benchmarks.report import Table, machine, page, write

BENCHMARKS: dict[str, Callable[[bool], list[Table]]] = {
    "gateway": gateway.run,
    "middleware": middleware.run,
    "layers": layers.run,
    "tail": tail.run,
    "stores": stores.run,
    "mtls": mtls.run,
    "payments": payments.run,
    "soak": soak.run,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures what the gate costs."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}; all if none is given, which takes half an hour",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds: under a minute, less exact"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the tables to FILE (Markdown) as well"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    names = [name for name in BENCHMARKS if name in (options.names or BENCHMARKS)]
    about = machine()
    print(about, end="\n\n")
    tables: list[Table] = []
    for name in names:
        print(f"{name} …", file=sys.stderr)
        begun = time.perf_counter()
        try:
            measured = BENCHMARKS[name](options.quick)
        except Void as problem:
            print(f"{name}: no result: {problem}", file=sys.stderr)
            return 1
        for table in measured:
            print(table.markdown(), end="\n\n", flush=True)
        print(f"{name} took {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        tables += measured
    if options.write is not None:
        partial = " ".join([*options.names, *(["--quick"] if options.quick else [])])
        write(options.write, page(tables, about, partial))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
