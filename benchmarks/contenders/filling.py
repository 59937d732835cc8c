"""Templates: files with @words@ in which a run fills in its ports, folder and limit."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

_WORD = re.compile(r"@([a-z_]+)@")


def filled(template: Path, words: Mapping[str, object]) -> str:
    """The text of `template` with every @word@ replaced; KeyError for one without a value."""
    return _WORD.sub(lambda found: str(words[found[1]]), template.read_text(encoding="utf-8"))


def nginx_user() -> str:
    """As root nginx gives its workers another user, who may not read the run's folder."""
    return "user root;" if os.geteuid() == 0 else ""
