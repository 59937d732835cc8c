"""guarita.toml: read with `load` into what the gateway serves, or refused with every mistake, each
with its line.

`settings` and `profile_settings` say what may stand in the file; `reading` turns tables into them,
`lines` knows where things stand. `profiles`, `layers`, `wording` build policies; `sites`,
`addresses` and `certificates` the rest; `describing` says in words what would run, `drawing` draws
the table of settings in docs/gateway.md.
"""

from guarita.config.loading import Loaded, load
from guarita.config.mistakes import ConfigError, Mistake, Unreadable

__all__ = ["ConfigError", "Loaded", "Mistake", "Unreadable", "load"]
