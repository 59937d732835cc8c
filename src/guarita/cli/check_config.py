"""`guarita check-config`: what a configuration would run, or what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING

from guarita.cli.output import OK, REFUSED, MisuseError, RefusedError, emit, harmless, note
from guarita.cli.settings import Settings, current

if TYPE_CHECKING:
    from guarita.config import ConfigError

DEFAULT_CONFIG = "guarita.toml"


def check_config() -> int:
    """Say what a configuration file would run, or what is wrong with it.

    Reads the file and those it names; serves nothing and changes nothing. Exit status 0 where
    nothing in them keeps `guarita serve` from starting, 1 where there are mistakes (each with its
    line), 2 where the file cannot be read. Default: guarita.toml.
    """
    settings = current()
    needs_server()
    from guarita.config import ConfigError, Unreadable, describing, load

    file = config_file(settings)
    try:
        loaded = load(file, data=settings.given)
    except Unreadable as error:
        raise MisuseError(str(error)) from None
    except ConfigError as error:
        if settings.json:
            mistakes = describing.listed(error.mistakes)
            emit(True, {"config": str(file), "mistakes": mistakes}, "")
        note(told(error))
        return REFUSED
    emit(settings.json, describing.document(loaded), _shown(describing.text(loaded)))
    return OK


def told(error: "ConfigError") -> str:
    """The mistakes of a file, each on a line that begins with its place."""
    count = len(error.mistakes)
    return f"{count} mistake{'' if count == 1 else 's'} in the configuration:\n{error}"


def config_file(settings: Settings) -> Path:
    """The configuration file of this call. Raises MisuseError where none is named nor there."""
    if settings.config is not None:
        return settings.config
    if not Path(DEFAULT_CONFIG).exists():
        raise MisuseError(f"name the configuration: --config FILE (there is no {DEFAULT_CONFIG})")
    return Path(DEFAULT_CONFIG)


def needs_server() -> None:
    """Raises RefusedError where what serving takes is not installed."""
    try:
        import httptools  # noqa: F401

        import guarita.serving.tls  # noqa: F401
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"the gateway needs {error.name}: pip install 'guarita[server,tls]'"
        ) from None


def _shown(text: str) -> str:
    return "\n".join(map(harmless, text.split("\n")))
