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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from guarita.cli.output import MisuseError, RefusedError

if TYPE_CHECKING:
    from guarita.data_folder import DataFolder

DEFAULT_DATA = "guarita-data"
DATABASE = "guarita.db"
DECISIONS = "decisions.db"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration file (TOML).

    Attributes:
        data: the data folder; a relative path starts at the file's own folder.
    """

    data: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options of this call."""

    data: Path
    json: bool = False

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
        folder = DataFolder(self.data, permissions=TABLE.permissions)
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
    data = given.get("--data")
    if "--config" in given:
        configured = _configured_data(Path(given["--config"]))
        data = data or configured
    data = data or environ.get("GUARITA_DATA") or DEFAULT_DATA
    return Settings(Path(data), "--json" in given), rest


_METAVAR = {"--data": "DIR", "--config": "FILE"}
GLOBAL_OPTIONS = (*_METAVAR, "--json", "--help", "--version")


def _configured_data(path: Path) -> str | None:
    """The data folder a configuration file names, if it does."""
    config = _read_config(path)
    return None if config.data is None else str(path.parent / config.data)


def _read_config(path: Path) -> Config:
    try:
        members = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MisuseError(f"cannot read the configuration {path}: {error.strerror}") from None
    except ValueError as error:
        raise MisuseError(f"the configuration {path} is not TOML: {error}") from None
    known = [field.name for field in msgspec.structs.fields(Config)]
    for member in members:
        if member not in known:
            raise MisuseError(
                f"the configuration {path} has an unknown member {member!r}{nearest(member, known)}"
            )
    try:
        return msgspec.convert(members, Config)
    except msgspec.ValidationError as error:
        raise MisuseError(f"the configuration {path}: {error}") from None


def nearest(word: str, known: list[str], show: Callable[[str], str] = repr) -> str:
    """ "; did you mean …" or, where nothing is near, what there is."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {show(close[0])}?"
    return f"; known: {', '.join(map(show, known))}"
