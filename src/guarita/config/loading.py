"""guarita.toml from the file to what is served: read, understood, checked as a whole."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from guarita.config.certificates import CertificatePlan, certificates
from guarita.config.data_checks import check_folder, check_stores
from guarita.config.lines import Lines
from guarita.config.mistakes import ConfigError, Mistake, Mistakes, Unreadable
from guarita.config.profiles import profiles
from guarita.config.reading import read
from guarita.config.settings import Configuration
from guarita.config.site_checks import has_layer
from guarita.config.sites import Sites
from guarita.profile import Profile
from guarita.serving.gateway.site import SitePlan

DEFAULT_DATA = "guarita-data"


class Loaded(Struct, frozen=True):
    """A configuration without a mistake.

    Attributes:
        file: where it stands.
        settings: as read.
        data: the data folder.
        sites: what is to be served.
        profiles: every profile of the file, and the two that exist.
        certificates: what client certificates are verified against; None where no site does.
        dangers: the settings that weaken the gate, with their lines.
    """

    file: Path
    settings: Configuration
    data: Path
    sites: tuple[SitePlan, ...]
    profiles: Mapping[str, Profile]
    certificates: CertificatePlan | None
    dangers: tuple[Mistake, ...]

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission that an operation of some profile takes."""
        return frozenset().union(*(one.table.permissions for one in self.profiles.values()))


def load(
    file: Path, *, data: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Loaded:
    """Read `file`. `data`: the data folder where the command line names it.

    Raises:
        ConfigError: there are mistakes; lists them all.
        Unreadable: the file cannot be read.
    """
    members, lines = _parsed(file)
    mistakes = Mistakes(lines)
    settings = read(Configuration, members, (), mistakes)
    if settings is None:
        raise ConfigError(file, mistakes.found)
    folder = file.parent
    data_is_named = data is None and settings.data.folder not in (None, "")
    data = data or data_folder(members, folder, environ)
    tables = members.get("profile")
    tables = tables if isinstance(tables, dict) else {}
    found = profiles(settings.profile, tables, mistakes)
    # A profile with a mistake is None. One that could not even be read is none of the file's.
    for name in tables:
        found.setdefault(name, None)
    sites = Sites(settings, found, folder, data / "ca", mistakes, environ)
    named = {one.profile for one in settings.site if one is not None}
    for name in settings.profile:
        if name not in named:
            mistakes.danger(
                ("profile", name), f"no site has the profile {name}: it protects nothing"
            )
    used = [found.get(one.profile) for one in settings.site if one is not None]
    verifying = any(one is not None and has_layer(one, "certificate") for one in used)
    plan = None
    if verifying or "client_certificates" in members:
        plan = certificates(settings.client_certificates, folder, data / "ca", mistakes)
    check_folder(data, named=data_is_named, mistakes=mistakes)
    check_stores(settings.data, mistakes)
    if mistakes.found:
        raise ConfigError(file, mistakes.found)
    return Loaded(
        file,
        settings,
        data,
        tuple(sites.plans),
        {name: one for name, one in found.items() if one is not None},
        plan if verifying else None,
        tuple(sorted(set(mistakes.dangers))),
    )


def data_folder(
    members: Mapping[str, Any], folder: Path, environ: Mapping[str, str] = os.environ
) -> Path:
    """The data folder of a file's members, else GUARITA_DATA, else ./guarita-data."""
    data = members.get("data")
    named = data.get("folder") if isinstance(data, dict) else data
    if isinstance(named, str) and named:
        return folder / named
    return Path(environ.get("GUARITA_DATA") or DEFAULT_DATA)


def _parsed(file: Path) -> tuple[dict[str, Any], Lines]:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise Unreadable(f"cannot read the configuration {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(file, [Mistake(0, "the file is not UTF-8 text")]) from None
    if text.startswith("\ufeff"):
        said = "the file begins with a byte order mark; save it as UTF-8 without one"
        raise ConfigError(file, [Mistake(1, said)])
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, [_not_toml(str(error))]) from None
    if isinstance(members.get("data"), str):
        members["data"] = {"folder": members["data"]}  # the short form other commands know
    return members, Lines(text)


def _not_toml(text: str) -> Mistake:
    """The parser's message; it ends in "(at line 3, column 7)" or "(at end of document)"."""
    message, _, where = text.rpartition(" (at ")
    line = where.removeprefix("line ").partition(",")[0]
    return Mistake(int(line) if line.isdigit() else 0, f"not TOML: {message or text}")


def member_names() -> list[str]:
    """What the top level of the file may hold."""
    return [field.encode_name for field in msgspec.structs.fields(Configuration)]
