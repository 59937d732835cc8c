"""The options every command has, where they may stand, and the data folder they lead to.

`--data`, `--config` and `--json` are taken out of the command line before the command itself is
parsed, so they may stand before or after it.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guarita.cli.output import MisuseError, RefusedError

if TYPE_CHECKING:
    from guarita.data_folder import DataFolder

DEFAULT_DATA = "guarita-data"
DATABASE = "guarita.db"
DECISIONS = "decisions.db"


MEMBERS = ["data", "site", "profile", "decision_log", "client_certificates", "process"]
"""What a configuration file may hold (`guarita.config` reads all of it, this module the first)."""

READ_IT_THEMSELVES = ("serve", "check-config")
"""Commands that read the whole configuration file, and tell all its mistakes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options of this call.

    Attributes:
        data: the data folder.
        config: the configuration file, where one was named.
        given: the data folder where `--data` named it.
        profiles: the profiles that the configuration file defines.
        permissions: the permissions that their operations take.
    """

    data: Path
    json: bool = False
    config: Path | None = None
    given: Path | None = field(default=None, compare=False)
    profiles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()

    @contextmanager
    def folder(self, *, create: bool = False) -> Iterator["DataFolder"]:
        """The data folder, open; it is made where it is missing and `create` is set.

        Raises:
            RefusedError: there is none. Otherwise a mistyped path would look like an empty keyring.
        """
        from guarita.data_folder import DataFolder
        from guarita.profiles.minhakonta import TABLE

        if not create and not (self.data / DATABASE).exists():
            raise RefusedError(
                f"there is no data folder at {self.data}; name another with --data DIR, or make it"
                " with `guarita migrate` or `guarita account create NAME`"
            )
        folder = DataFolder(self.data, permissions=TABLE.permissions | self.permissions)
        try:
            yield folder
        finally:
            folder.close()


_current: ContextVar[Settings] = ContextVar("settings")


def current() -> Settings:
    """The settings of the command that is running."""
    return _current.get()


@contextmanager
def using(settings: Settings) -> Iterator[None]:
    """Make `settings` the current ones."""
    token = _current.set(settings)
    try:
        yield
    finally:
        _current.reset(token)


def split(argv: list[str], environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[str]]:
    """The global options of a command line, and the rest of it.

    The data folder is `--data`, else the configuration file's, else GUARITA_DATA, else
    ./guarita-data. Nothing after a `--` is an option.

    Raises:
        MisuseError: an option without its value or given twice, or a wrong configuration file.
    """
    given: dict[str, str] = {}
    rest: list[str] = []
    tokens = iter(argv)
    for token in tokens:
        name, equals, value = token.partition("=")
        if token == "--":  # noqa: S105
            rest += [token, *tokens]
        elif name in ("--data", "--config"):
            value = value if equals else next(tokens, "")
            if not value or (not equals and value.startswith("--")):
                raise MisuseError(f"{name} needs a value: {name} {_METAVAR[name]}")
            if name in given:
                raise MisuseError(f"{name} is given twice")
            given[name] = value
        elif token == "--json":  # noqa: S105
            given["--json"] = token
        else:
            rest.append(token)
    named = given.get("--data")
    config = Path(given["--config"]) if "--config" in given else None
    data, members = named, dict[str, Any]()
    if config is not None and not (rest and rest[0] in READ_IT_THEMSELVES):
        members = _read_config(config)
        data = named or _configured_data(config, members)
    settings = Settings(
        Path(data or environ.get("GUARITA_DATA") or DEFAULT_DATA),
        "--json" in given,
        config,
        None if named is None else Path(named),
        *_defined(members),
    )
    return settings, rest


_METAVAR = {"--data": "DIR", "--config": "FILE"}
GLOBAL_OPTIONS = (*_METAVAR, "--json", "--help", "--version")


def _configured_data(path: Path, members: dict[str, Any]) -> str | None:
    """The data folder a configuration file names, if it does: `data = "DIR"`, or `folder` in the
    table `[data]`.
    """
    data = members.get("data")
    folder = data.get("folder") if isinstance(data, dict) else data
    if folder is None:
        return None
    if not isinstance(folder, str):
        raise MisuseError(f"the configuration {path}: the data folder must be a text")
    return str(path.parent / folder)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        members = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MisuseError(f"cannot read the configuration {path}: {error.strerror}") from None
    except ValueError as error:
        raise MisuseError(f"the configuration {path} is not TOML: {error}") from None
    for member in members:
        if member not in MEMBERS:
            raise MisuseError(
                f"the configuration {path} has an unknown member "
                f"{member!r}{nearest(member, MEMBERS)}"
            )
    return members


def _defined(members: dict[str, Any]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The profiles of a configuration, and the permissions their operations take. Looked at no
    closer than that: `guarita check-config` tells what is wrong with them.
    """
    profiles = members.get("profile")
    found = profiles if isinstance(profiles, dict) else {}
    routes = [
        route
        for one in found.values()
        if isinstance(one, dict) and isinstance(one.get("route"), list)
        for route in one["route"]
    ]
    permissions = [one.get("permission") for one in routes if isinstance(one, dict)]
    return tuple(found), frozenset(one for one in permissions if isinstance(one, str))


def nearest(word: str, known: list[str], show: Callable[[str], str] = repr) -> str:
    """ "; did you mean …" or, where nothing is near, what there is."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {show(close[0])}?"
    return f"; known: {', '.join(map(show, known))}"
