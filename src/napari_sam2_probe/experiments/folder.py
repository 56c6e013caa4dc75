"""The folder of an experiment: what lies where, and the lock that keeps two commands from writing at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.names import check_inside
from napari_sam2_probe.common.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

CONFIG = "experiment.toml"
"""The file that makes a folder an experiment."""


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """Names and places of an experiment's files.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The configuration, complete."""
        return self.path / CONFIG

    @property
    def plan(self) -> Path:
        """Batches, and what else decides the bytes of the results; fixed when the experiment is begun."""
        return self.path / "plan.json"

    @property
    def provenance(self) -> Path:
        """Versions, model, data, command lines and times."""
        return self.path / "provenance.json"

    @property
    def store(self) -> Path:
        """The zarr with what is not a table: ``<kind>/<clip>/<array>``."""
        return self.path / "results.zarr"

    @property
    def frames(self) -> Path:
        """The table of frames, there when everything is."""
        return self.path / "frames.parquet"

    @property
    def features(self) -> Path:
        """The table of features, there when everything is."""
        return self.path / "features.parquet"

    @property
    def gap_features(self) -> Path:
        """The table of features had the object not been in the interjection, there when everything is."""
        return self.path / "gap_features.parquet"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.path / "report"

    @property
    def unfinished(self) -> Path:
        """Where clips' arrays are written before they take their place."""
        return self.path / ".unfinished"

    def clips(self, kind: str) -> Path:
        """Return the data set of clips of a kind, in DAVIS layout."""
        return self.path / "clips" / kind

    def frames_part(self, batch: str) -> Path:
        """Return a batch's rows of the table of frames; it is written last, so it says that the batch is complete."""
        return self.path / "parts" / f"{batch}.frames.parquet"

    def features_part(self, batch: str) -> Path:
        """Return a batch's rows of the table of features."""
        return self.path / "parts" / f"{batch}.features.parquet"

    def gap_features_part(self, batch: str) -> Path:
        """Return a batch's rows of the table of features had the object not been in the interjection."""
        return self.path / "parts" / f"{batch}.gap-features.parquet"

    def check_links(self, kinds: Sequence[str]) -> None:
        """Make sure that nothing is written outside of the folder: one that comes from elsewhere may hold any link.

        Raises
        ------
        InputError
            If a link leads out of it.
        """
        parts = [self.unfinished, self.frames_part("").parent, self.store]
        of_kinds = [place for kind in kinds for place in (self.clips(kind), self.store / kind)]
        check_inside(self.path, *parts, *of_kinds)

    def is_complete(self, batch: str) -> bool:
        """Tell whether a batch is done."""
        return self.frames_part(batch).is_file()


def is_experiment(path: Path) -> bool:
    """Return whether a folder looks like an experiment, without reading it."""
    return is_file(path / CONFIG)


def locked(folder: ExperimentFolder) -> AbstractContextManager[None]:
    """Let nobody else work on the experiment while the block runs; a process that is killed lets go too.

    Raises
    ------
    InputError
        If another process is at work on it.
    """
    return exclusive_lock(folder.path, "the experiment")
