"""One experiment as a report looks at it: what is computed from its tables, once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.clip_tables import ClipTableOptions, clip_table, per_clip
from napari_sam2_probe.analysis.separability import SeparabilityOptions, separability
from napari_sam2_probe.analysis.timelines import TimelineOptions, feature_timelines
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS
from napari_sam2_probe.figures.features import prompted_in_references
from napari_sam2_probe.probe.positions import in_order as positions_in_order
from napari_sam2_probe.probe.positions import position_pairs
from napari_sam2_probe.transforms.registry import KINDS, kept_kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.controls import Controls
    from napari_sam2_probe.analysis.separability import Separability
    from napari_sam2_probe.experiments.results import ExperimentResults
    from napari_sam2_probe.reports.contrasts import Contrasts
    from napari_sam2_probe.reports.covers import Cover
    from napari_sam2_probe.reports.representations import Representations

TREND_KINDS = ("clean", "interjection", "object-removal", "context-removal")
"""What the paper's figures over time show."""


def absent_kinds() -> tuple[str, ...]:
    """Return the kinds with frames without the object."""
    return tuple(name for name, kind in KINDS.items() if kind.object_present != "always")


@dataclass(frozen=True)
class Subject:
    """An experiment with what a report says of it.

    Attributes
    ----------
    results
        The experiment.
    name
        What it is called; no two of a report are called alike.
    slug
        The same for names of files; empty where the report has only one experiment.
    num_resamples, seed
        Of every bootstrap.
    """

    results: ExperimentResults
    name: str
    slug: str
    num_resamples: int = 1000
    seed: int = 0

    def file(self, name: str) -> str:
        """Return the name of this experiment's file of that name."""
        return f"{name}-{self.slug}" if self.slug else name

    def title(self, title: str) -> str:
        """Return the title of a figure, with the experiment where there are several."""
        return f"{title}: {self.name}" if self.slug else title

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of which at least one clip is done, in the order of the experiment."""
        done = set(self.results.frames["kind"].unique())
        return tuple(kind for kind in self.results.kinds if kind in done)

    @cached_property
    def feature_kinds(self) -> tuple[str, ...]:
        """Kinds with a row in the table of features."""
        there = set(self.results.features["kind"].unique())
        return tuple(kind for kind in self.kinds if kind in there)

    @cached_property
    def positions(self) -> tuple[str, ...]:
        """Positions with a row in the table of features, in the order of tables."""
        return tuple(positions_in_order(self.results.features["position"].unique()))

    @property
    def features(self) -> pd.DataFrame:
        """The table of features, each clip with the names of the sequences that were put into it."""
        return self.results.features_with_sequences

    @property
    def has_features(self) -> bool:
        """Whether there is any feature."""
        return bool(len(self.results.features))

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return sum(self.results.lengths)

    @property
    def interjection(self) -> NDArray[np.bool_]:
        """(T,) bool, the frames of the interjection."""
        prefix, middle, _ = self.results.lengths
        frames = np.arange(self.num_frames)
        shaded: NDArray[np.bool_] = (frames >= prefix) & (frames < prefix + middle)
        return shaded

    def absent(self, kind: str) -> NDArray[np.bool_]:
        """Return (T,) bool, the frames on which no clip of a kind shows the object."""
        frames = self.results.frames
        present = frames[frames["kind"] == kind].groupby("frame")["object_present"].any()
        gone: NDArray[np.bool_] = ~present.reindex(range(self.num_frames), fill_value=True).to_numpy(dtype=np.bool_)
        return gone

    def seen_through_prompt(self, kind: str) -> dict[str, NDArray[np.bool_]]:
        """Return for each feature (T,) bool, the frames whose references hold a prompted one."""
        if not self.results.config.features.prompted_references:
            return {feature: np.zeros(self.num_frames, bool) for feature in FEATURE_COLUMNS}
        prompted = np.zeros(self.num_frames, bool)
        prompted[0] = True
        return prompted_in_references(~self.absent(kind), prompted)

    @cached_property
    def timelines(self) -> pd.DataFrame:
        """`feature_timelines` of the kinds that the paper shows over time."""
        features = self.features
        options = TimelineOptions(num_resamples=self.num_resamples, seed=self.seed)
        return feature_timelines(features[features["kind"].isin(TREND_KINDS)], options)

    @cached_property
    def placebo_features(self) -> pd.DataFrame:
        """The table of features of clips in which nothing changes, with references that stand still as if it did.

        The column ``kind`` names the kind that shows the same clips with the change.
        """
        import pandas as pd

        clips = self.results.frames[["kind", "clip", "distractor_sequences"]].drop_duplicates(["kind", "clip"])
        rows = self.results.gap_features.merge(clips, on=["kind", "clip"], how="left")
        changed = [kind for kind in TREND_KINDS if kind in absent_kinds() and kind in self.feature_kinds]
        parts = [rows[rows["kind"] == kept_kind(kind)].assign(kind=kind) for kind in changed if kept_kind(kind)]
        return pd.concat(parts, ignore_index=True) if parts else rows.iloc[:0]

    @cached_property
    def placebo_timelines(self) -> pd.DataFrame:
        """`feature_timelines` of `placebo_features`."""
        options = TimelineOptions(num_resamples=self.num_resamples, seed=self.seed)
        return feature_timelines(self.placebo_features, options)

    @cached_property
    def separability(self) -> Separability:
        """`separability` of all kinds, on all frames that have the three features."""
        options = SeparabilityOptions(num_resamples=self.num_resamples, seed=self.seed)
        return separability(self.features, options, pairs=position_pairs())

    @cached_property
    def ordinary_separability(self) -> Separability:
        """The same on ordinary frames alone: full window, no reference prompted."""
        options = SeparabilityOptions(
            prompted_references=False, full_window=True, num_resamples=self.num_resamples, seed=self.seed
        )
        return separability(self.features, options, pairs=position_pairs())

    @cached_property
    def controls(self) -> Controls:
        """Separations beside what they are where nothing changes."""
        from napari_sam2_probe.analysis.controls import ControlOptions, measure_controls

        changed = [kind for kind in self.feature_kinds if kept_kind(kind) or kind in absent_kinds()]
        kept = {kind: kept_kind(kind) if kept_kind(kind) in self.feature_kinds else "" for kind in changed}
        return measure_controls(
            self.results.features,
            self.results.gap_features,
            self.results.frames,
            kept,
            ControlOptions(num_resamples=self.num_resamples, seed=self.seed),
        )

    @cached_property
    def stage_alarms(self) -> pd.DataFrame:
        """`alarms_by_stage` of all kinds."""
        from napari_sam2_probe.analysis.stage_alarms import alarms_by_stage

        stages = self.results.frames[["kind", "clip", "frame", "stage"]]
        return alarms_by_stage(self.features, stages, num_resamples=self.num_resamples, seed=self.seed)

    @cached_property
    def clip_table(self) -> pd.DataFrame:
        """`clip_table` of all kinds."""
        return clip_table(self.results.frames, ClipTableOptions(num_resamples=self.num_resamples, seed=self.seed))

    @cached_property
    def contrasts(self) -> Contrasts:
        """What stands out from what at each position; none where no regions were kept."""
        from napari_sam2_probe.reports.contrasts import measure_contrasts

        return measure_contrasts(self.results, self.kinds, num_resamples=self.num_resamples, seed=self.seed)

    @cached_property
    def covers(self) -> dict[str, Cover]:
        """What a cover does to pointers, by kind of clip that has covers."""
        from napari_sam2_probe.reports.covers import measure_cover

        if not self.results.has_model:
            return {}
        how = {"num_resamples": self.num_resamples, "seed": self.seed}
        kinds = [kind for kind in ("obscuration", "three-object") if kind in self.kinds]
        found = {kind: measure_cover(self.results, kind, **how) for kind in kinds}
        return {kind: cover for kind, cover in found.items() if cover is not None}

    @cached_property
    def representations(self) -> Representations:
        """What positions hold: probes, object or context, CKA; nothing where no embeddings were kept."""
        from napari_sam2_probe.reports.representations import measure_representations

        return measure_representations(
            self.results, self.kinds, self.positions, num_resamples=self.num_resamples, seed=self.seed
        )

    @cached_property
    def per_clip(self) -> pd.DataFrame:
        """`per_clip` of all kinds."""
        return per_clip(self.results.frames)


def make_subjects(experiments: Iterable[ExperimentResults], *, num_resamples: int, seed: int) -> tuple[Subject, ...]:
    """Give every experiment a name of its own: its label, with its folder where two have the same."""
    opened = list(experiments)
    labels = [results.label for results in opened]
    names: list[str] = []
    for results, label in zip(opened, labels, strict=True):
        name = label if labels.count(label) == 1 else f"{label} ({_folder(results.path)})"
        while name in names:
            name += "′"
        names.append(name)
    slugs = _slugs(names) if len(names) > 1 else [""] * len(names)
    return tuple(
        Subject(results, name, slug, num_resamples, seed)
        for results, name, slug in zip(opened, names, slugs, strict=True)
    )


def _folder(path: Path) -> str:
    return path.resolve().name


def _slugs(names: list[str]) -> list[str]:
    slugs: list[str] = []
    for name in names:
        slug = (
            "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split()) or "experiment"
        )
        slugs.append(slug if slug not in slugs else f"{slug}-{len(slugs)}")
    return slugs


def in_order(kinds: Iterable[str]) -> list[str]:
    """Sort kinds: those of the paper in its order, then others, and those that are not installed behind."""
    order = list(KINDS)
    return sorted(kinds, key=lambda kind: (order.index(kind) if kind in order else len(order), kind))
