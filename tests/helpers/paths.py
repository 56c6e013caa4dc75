"""Names that no file or folder can have."""

from __future__ import annotations

import pytest

NO_NAMES = [
    pytest.param("n" * 256, id="longer than a name may be"),
    # 256 bytes, but only 128 characters.
    pytest.param("ß" * 128, id="longer in bytes"),
    pytest.param("n/" * 2500, id="longer than a path may be"),
    pytest.param("n\0n", id="with a NUL"),
    pytest.param("n\ud800n", id="with half a character"),
]
