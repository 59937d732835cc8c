"""Where the vectors shared between projects are found: beside the checkout, not inside it.

They are no part of a user's clone, so a test that needs them is skipped, with the reason, where
they are absent.
"""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "vectors"


def shared(*parts: str) -> Path:
    """Path of a file under ``<repo>/../shared/vectors``; skips the calling test if it is absent."""
    path = _SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip("shared/vectors absent")
    return path
