"""The command line: the keyring's use cases for an operator's shell, the sandbox, and the demo.

Here: the entry point, the tree of commands, and the way from an error to an exit status. A
command's own file is imported only when it is called: `guarita sign` loads no server.
"""

import sys
from contextlib import redirect_stdout
from difflib import get_close_matches
from typing import TYPE_CHECKING

from guarita.cli.output import (
    INTERRUPTED,
    MISUSED,
    OK,
    MisuseError,
    RefusedError,
    leave_stdout,
    note,
    status_of,
)
from guarita.cli.settings import GLOBAL_OPTIONS, split, using

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

HELP = """Guarita: request security for payment APIs.

Accounts and keys are kept in a data folder. A change is in force on every server that uses it \
within one second.
"""
EPILOGUE = """\
Options of every command, before or after it:

- --data DIR: the data folder (or GUARITA_DATA; default ./guarita-data)
- --config FILE: a guarita.toml; its data folder is used where --data names none
- --json: print one JSON document instead of text

Exit status: 0 success, 1 refused by a rule, 2 wrong usage; the reason is on standard error.
"""
COMMANDS = {
    "account": ("account:app", "Create, list, suspend and activate accounts."),
    "key": ("key:app", "Issue, change, block and revoke API keys."),
    "certificate": ("certificate:app", "Issue, register, revoke and list client certificates."),
    "sign": ("sign:sign", "Print the hmac header's value for a request body."),
    "explain": ("explain:explain", "Say why a request was decided as it was, by its Ray-ID."),
    "idempotency": ("idempotency:app", "List idempotency records, resolve unknown outcomes."),
    "migrate": ("migrate:migrate", "Bring the data folder's database up to date."),
    "sandbox": ("sandbox:app", "Drive the sandbox bank: its payers, other banks, its books."),
    "check-config": ("check_config:check_config", "Say what a configuration would run."),
    "serve": ("serve:serve", "Serve the gateway in front of any upstream, by guarita.toml."),
    "demo": ("demo:demo", "Serve a sandbox bank behind the gate, with fresh credentials."),
}
"""Where each command is (module in this package, name), and its line in the list of commands."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Args:
        argv: the words after the program's name; default: those of this process.
    """
    try:
        words = sys.argv[1:] if argv is None else argv
        _refuse_undecodable(words)
        settings, rest = split(words)
        with using(settings):
            return _run(rest)
    except BrokenPipeError:
        leave_stdout()
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        status = status_of(error)
        if status is None:
            raise
        note(str(error))
        return status


def _refuse_undecodable(words: list[str]) -> None:
    """Raises MisuseError for a word that is no valid UTF-8: no command could use or print it."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise MisuseError(f"{word!r} is not valid UTF-8: write the argument in UTF-8") from None


def _run(words: list[str]) -> int:
    try:
        from cyclopts import CycloptsError
    except ModuleNotFoundError:
        raise RefusedError("the command line needs: pip install 'guarita[cli]'") from None
    try:
        command, bound, _ = command_tree(words).parse_args(
            words, exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        error.verbose = False
        raise MisuseError(f"{error}{_global_option(error)}") from None
    if command.__name__ == "help_print" and not {"--help", "-h"}.intersection(words):
        with redirect_stdout(sys.stderr):  # a command that only has subcommands
            command(*bound.args, **bound.kwargs)
        return MISUSED
    result = command(*bound.args, **bound.kwargs)
    return result if isinstance(result, int) else OK


def _default(value: object) -> str | None:
    """How a default is shown in help; switches and empty texts need none."""
    return None if value is None or value is False or value == "" else str(value)


def _global_option(error: "CycloptsError") -> str:
    """A hint where an unknown word looks like one of the options every command has."""
    token = getattr(error, "token", None)
    unknown = getattr(token, "keyword", None) or getattr(token, "value", None)
    word = unknown or next(iter(error.unused_tokens or ()), "")
    if not word.startswith("--") or "Did you mean" in str(error):
        return ""
    close = get_close_matches(word, GLOBAL_OPTIONS, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def command_tree(called: list[str]) -> "App":
    """All commands. `called`: the words of the command line; the command among them shows its own
    help."""
    from cyclopts import App, Parameter

    from guarita import __version__

    app = App(
        name="guarita",
        help=HELP,
        help_epilogue=EPILOGUE,
        version=f"guarita {__version__}",
        default_parameter=Parameter(negative=(), show_default=_default),
    )
    for name, (place, line) in COMMANDS.items():
        # A line given here would take the place of the command's own, longer help.
        app.command(f"guarita.cli.{place}", name=name, help=None if name in called else line)
    return app
