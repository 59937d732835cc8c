"""Files a command writes: readable by their owner only, whole or not at all, and nothing that is
there already is overwritten unless that was asked for."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from guarita.cli.output import RefusedError

_LARGEST_READ = 1 << 20


def refuse_existing(paths: Iterable[Path], *, force: bool) -> None:
    """Raises RefusedError where one of `paths` is there, before anything is done."""
    there = [str(path) for path in paths if os.path.lexists(path)]
    if there and not force:
        raise RefusedError(f"{', '.join(there)}: there already; --force overwrites")


def make_folder(folder: Path) -> None:
    """Makes `folder` (mode 0700) where it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise RefusedError(f"{folder} is there, but is no folder") from None


def write(path: Path, content: bytes, *, force: bool = False, mode: int = 0o600) -> None:
    """Writes `content` to `path`. Raises RefusedError where it is there and `force` is not set."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        if force:
            os.replace(draft, path)
        else:
            try:
                os.link(draft, path)
            except FileExistsError:
                refuse_existing([path], force=False)
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    """The content of a small file a person named. Raises RefusedError."""
    try:
        with path.open("rb") as opened:
            content = opened.read(_LARGEST_READ + 1)
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > _LARGEST_READ:
        raise RefusedError(f"{path} has more than {_LARGEST_READ} bytes: it is no certificate")
    return content
