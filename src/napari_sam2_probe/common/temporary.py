"""Folders that go with the object that needs them."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class TemporaryFolder:
    """A folder that is removed when nobody holds this object any more, or when the program ends.

    Unlike `tempfile.TemporaryDirectory` it goes without a warning: to be let go of is how it ends.

    Attributes
    ----------
    path
        The folder.
    """

    def __init__(self, prefix: str = "sam2-probe-") -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
