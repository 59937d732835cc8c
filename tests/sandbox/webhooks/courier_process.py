"""A process that delivers the webhooks of a bank file until killed: `courier_process.py FILE`.

Its clock is the one of the machine.
"""

import asyncio
import sys
from pathlib import Path

from guarita.sandbox.database import Database
from guarita.sandbox.webhooks.delivery import Courier

if __name__ == "__main__":
    asyncio.run(Courier(Database(Path(sys.argv[1])), unsafe_loopback=True).run())
