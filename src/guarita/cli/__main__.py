"""`python -m guarita.cli`: the same as the console script `guarita`."""

import sys

from guarita.cli import main

if __name__ == "__main__":
    sys.exit(main())
