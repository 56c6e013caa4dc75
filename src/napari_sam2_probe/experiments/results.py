"""Open an experiment, finished or half done; neither SAM 2 nor torch is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.analysis.regions import frames_kept
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import exists, is_dir
from napari_sam2_probe.common.reading import load_json, why
from napari_sam2_probe.experiments.cause_tables import CausesFolder
from napari_sam2_probe.experiments.config import ExperimentConfig, read_config
from napari_sam2_probe.experiments.earlier import with_distractors, with_gaps
from napari_sam2_probe.experiments.folder import CONFIG, ExperimentFolder, is_experiment
from napari_sam2_probe.experiments.integrity import check_features, check_frames, check_plan, check_settings
from napari_sam2_probe.experiments.plan import Batch, read_plan
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, read_tables
from napari_sam2_probe.probe.positions import BY_KEY, OBJECT_POINTER, OBJECT_POINTER_RAW
from napari_sam2_probe.runs.zarr_store import READ_ERRORS, missing_chunk, open_store, read_whole
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.probe.positions import Statistic
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.video import Video


@dataclass(frozen=True)
class ExperimentResults:
    """What an experiment has given so far.

    Tables are read when they are first asked for and kept; open the experiment again to see what came since.

    Attributes
    ----------
    path
        Its folder.
    config
        Its configuration.
    provenance
        The contents of ``provenance.json``: versions, model, data, command lines, times.
    batches
        All batches of the plan, in the order of the tables; none before there is a plan.
    finished_batches
        Names of those that were done when the experiment was opened.
    """

    path: Path
    config: ExperimentConfig
    provenance: dict[str, Any]
    batches: tuple[Batch, ...]
    finished_batches: tuple[str, ...]

    def __repr__(self) -> str:
        kinds = ", ".join(self.config.kinds)
        return f"<Experiment {self.label}: {self.done} of {self.total} batches ({kinds}), in {self.path}>"

    @property
    def label(self) -> str:
        """What the experiment is called in tables and figures."""
        model = self.provenance.get("model") or {}
        predictions = self.config.predictions
        names = (self.config.label, predictions and predictions.name, model.get("checkpoint"))
        return next((name for name in names if name), self.path.resolve().name)

    @property
    def trained(self) -> bool:
        """Whether the model was trained; False for the stand-in with random weights, whose masks mean nothing."""
        return bool((self.provenance.get("model") or {}).get("trained", True))

    @property
    def has_model(self) -> bool:
        """Whether SAM 2 was tracked with; False for masks of another system, which have no features or pointers."""
        return self.config.predictions is None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of clips, those not begun yet included."""
        return self.config.kinds

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Frames of prefix, interjection and suffix."""
        return self.config.lengths

    @property
    def done(self) -> int:
        """Number of finished batches."""
        return len(self.finished_batches)

    @property
    def total(self) -> int:
        """Number of all batches."""
        return len(self.batches)

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        tables = self._folder.frames.is_file() and self._folder.features.is_file()
        return tables and (not self.config.causes or CausesFolder(self._folder).complete)

    def causes(self, name: str) -> pd.DataFrame:
        """Return one of the tables of causes, ``blame``, ``patches`` or ``suffix``, as far as it goes.

        Its columns are in `napari_sam2_probe.experiments.causes.CAUSE_TABLES`; it is empty where none were asked for.
        """
        return CausesFolder(self._folder).read(name)

    @cached_property
    def frames(self) -> pd.DataFrame:
        """A row a clip and frame; columns as in `napari_sam2_probe.experiments.tables.FRAME_COLUMNS`."""
        table = self._table(FRAME_COLUMNS, self._folder.frames, self._folder.frames_part)
        check_frames(self._folder.frames, table, self._finished, self.config)
        return with_distractors(table, self._folder)

    @cached_property
    def features(self) -> pd.DataFrame:
        """A row a clip, position and frame; columns as in `FEATURE_COLUMNS`. Empty for another system's masks."""
        table = self._table(FEATURE_COLUMNS, self._folder.features, self._folder.features_part)
        check_features(self._folder.features, table, self._finished, self.config)
        return with_gaps(table, self.frames, prompted_references=self.config.features.prompted_references)

    @cached_property
    def features_with_sequences(self) -> pd.DataFrame:
        """`features`, each clip with the names of the sequences that were put into it (``distractor_sequences``)."""
        clips = self.frames[["kind", "clip", "distractor_sequences"]].drop_duplicates(["kind", "clip"])
        return self.features.merge(clips, on=["kind", "clip"], how="left")

    @cached_property
    def gap_features(self) -> pd.DataFrame:
        """The same table, had the object not been in the interjection, of clips of which that was asked for.

        Of kinds that are compared frame by frame and don't lose the object: ``object-kept``, and ``clean`` beside
        ``interjection``, show what distances do there although nothing is lost. Empty for what was made before there
        was such a table.
        """
        folder = self._folder
        parts = [folder.gap_features] if self.complete else map(folder.gap_features_part, self.finished_batches)
        return read_tables(FEATURE_COLUMNS, [part for part in parts if part.is_file()])

    @property
    def _finished(self) -> list[Batch]:
        finished = set(self.finished_batches)
        return [batch for batch in self.batches if self.complete or batch.name in finished]

    def clips(self, kind: str) -> list[str]:
        """Return the names of the clips of a kind that are done, in order."""
        finished = set(self.finished_batches)
        return [clip for b in self.batches if b.kind == kind and b.name in finished for clip in b.clips]

    def pointers(self, kind: str, clip: str, *, raw: bool = False) -> NDArray[np.float32]:
        """Return a clip's object pointers (T, C), gated as SAM 2 stores them, or `raw`.

        Raises
        ------
        InputError
            If the clip is not done, or the masks are another system's.
        """
        return self.vectors(kind, clip, (OBJECT_POINTER_RAW if raw else OBJECT_POINTER).key)

    def vectors(self, kind: str, clip: str, key: str) -> NDArray[np.float32]:
        """Return a clip's vectors (T, C) at the position with this `key`.

        Raises
        ------
        InputError
            If the clip is not done, or the experiment doesn't hold them.
        """
        vectors: NDArray[np.float32] = self.array(kind, clip, BY_KEY[key].array if key in BY_KEY else f"vectors/{key}")
        return vectors

    def masks(self, kind: str, clip: str) -> NDArray[np.bool_]:
        """Return a clip's predicted masks (T, H, W).

        Raises
        ------
        InputError
            If the clip is not done.
        """
        masks: NDArray[np.bool_] = self.array(kind, clip, "masks")
        return masks

    def maps(self, kind: str, clip: str, key: str, statistic: Statistic) -> NDArray[np.float32]:
        """Return the map (T, h, w) of one position of a clip.

        Raises
        ------
        InputError
            If the clip is not done, or maps were not kept.
        """
        if not self.config.keep_maps:
            raise InputError(f"{self.path} keeps no maps: make the experiment with --keep-maps.")
        maps: NDArray[np.float32] = self.array(kind, clip, f"maps/{key}/{statistic}")
        return maps

    def map_keys(self, kind: str, clip: str) -> tuple[str, ...]:
        """Return the keys of the map positions that are kept of a clip, in the order of tables."""
        names = self.array_names(kind, clip)
        return tuple(p.key for p in BY_KEY.values() if p.is_map and f"maps/{p.key}/mean" in names)

    def sequence(self, kind: str, clip: str) -> Video:
        """Return a clip's frames and true masks.

        Raises
        ------
        InputError
            If the clip is not there.
        """
        return self._datasets[kind].sequence(clip)

    def run(self, kind: str, clip: str) -> ProbeRun:
        """Return a clip as a run, as `open_run` returns one that lies in a folder of its own.

        Raises
        ------
        InputError
            If the clip is not done, or the masks are another system's.
        """
        from napari_sam2_probe.experiments.clip_run import clip_run

        return clip_run(self, kind, clip)

    def clip_path(self, kind: str, clip: str) -> Path:
        """Return where the arrays of a clip lie."""
        return self._folder.store / kind / clip

    def array_names(self, kind: str, clip: str) -> tuple[str, ...]:
        """Return the names of a clip's arrays; none of a clip that isn't done."""
        try:
            group = self._store[f"{kind}/{clip}"]
        except (OSError, LookupError, ValueError):
            return ()
        return tuple(name for name, array in group.members(max_depth=None) if hasattr(array, "shape"))

    def array(self, kind: str, clip: str, name: str) -> Any:
        """Return an array of a clip by its name in the store, time first.

        Raises
        ------
        InputError
            If it is not there.
        """
        try:
            return read_whole(self.stored(kind, clip, name))
        except READ_ERRORS as error:
            raise self._damaged(kind, clip, name, error) from error

    def stored(self, kind: str, clip: str, name: str) -> Any:
        """Return an array of a clip as zarr has it, time first, without reading it.

        Raises
        ------
        InputError
            If it is not there.
        """
        try:
            # The store is opened here when it is first asked for, and may be damaged itself.
            stored = self._store[f"{kind}/{clip}/{name}"]
            if stored.shape[0] != frames_kept(name, self.config.num_frames):
                raise ValueError(f"it has {stored.shape[0]} frames")
            lost = missing_chunk(stored)
            if lost is not None:
                raise ValueError(f"chunk {lost} is missing")
        except KeyError as error:
            raise InputError(
                f"{self.path} has no {name.replace('_', ' ')} of {kind} clip {clip}: choose a clip that is done, or go "
                "on with the experiment."
            ) from error
        except READ_ERRORS as error:
            raise self._damaged(kind, clip, name, error) from error
        return stored

    def _damaged(self, kind: str, clip: str, name: str, error: Exception) -> InputError:
        return InputError(
            f"{self.clip_path(kind, clip)}: a part of {name} is missing or damaged ({why(error)}): start a new "
            "experiment."
        )

    @property
    def _folder(self) -> ExperimentFolder:
        return ExperimentFolder(self.path)

    @cached_property
    def _datasets(self) -> _Datasets:
        return _Datasets(self._folder)

    @cached_property
    def _store(self) -> Any:
        return open_store(self._folder.store)

    def _table(self, columns: dict[str, str], whole: Path, part: Callable[[str], Path]) -> pd.DataFrame:
        parts = [whole] if whole.is_file() else [part(name) for name in self.finished_batches]
        return read_tables(columns, parts)


class _Datasets(dict[str, DavisDataset]):
    """Data sets of clips by kind, opened when they are first asked for."""

    def __init__(self, folder: ExperimentFolder) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, kind: str) -> DavisDataset:
        self[kind] = DavisDataset(self._folder.clips(kind))
        return self[kind]


def open_experiment(folder: Path | str) -> ExperimentResults:
    """Open an experiment, finished or not.

    Raises
    ------
    InputError
        If the folder is no experiment, or is damaged.
    """
    path = Path(folder)
    if not is_experiment(path):
        raise InputError(f"{path} is not an experiment: give a folder that holds {CONFIG}.")
    place = ExperimentFolder(path)
    # An experiment that was stopped at its very start has neither plan nor provenance.
    config = read_config(place.config)
    batches: tuple[Batch, ...] = ()
    if exists(place.plan):
        plan = read_plan(place.plan)
        check_plan(place.plan, plan, config)
        batches = plan.batches
    finished = tuple(batch.name for batch in batches if place.is_complete(batch.name))
    provenance = read_provenance(place)
    check_settings(place.config, config, provenance)
    results = ExperimentResults(path, config, provenance, batches, finished)
    if results.complete:
        # Small beside what is drawn from it, and everything is.
        _ = results.frames
    return results


def find_experiments(folder: Path | str) -> list[Path]:
    """Return the experiments in a folder: itself, or those right below it, sorted by path."""
    folder = Path(folder)
    if is_experiment(folder):
        return [folder]
    if not is_dir(folder):
        return []
    return sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))


def read_provenance(folder: ExperimentFolder) -> dict[str, Any]:
    """Return the contents of ``provenance.json``, nothing if it is not there yet.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if not folder.provenance.is_file():
        return {}
    try:
        content = load_json(folder.provenance)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder.provenance}: the file is damaged; start a new experiment.") from error
    if not isinstance(content, dict):
        raise InputError(f"{folder.provenance}: the file is damaged; start a new experiment.")
    return content
