"""Causes over the clips of an experiment, one clip after the other; it may be killed at any moment and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.causes.clip import CausedClip, count_passes, explain_clip
from napari_sam2_probe.common.files import remove_leftovers
from napari_sam2_probe.common.names import check_inside
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.common.words import count
from napari_sam2_probe.experiments.batch_clips import ClipReader, close_clips
from napari_sam2_probe.experiments.cause_tables import CAUSE_TABLES, CausesFolder, changes_interjection, twin_kind
from napari_sam2_probe.experiments.derived import distractors_of
from napari_sam2_probe.experiments.plan import Batch
from napari_sam2_probe.experiments.tables import STAGES, join_tables, write_table
from napari_sam2_probe.families.loaded import load_model
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.transforms.recipe import clip_name

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_sam2_probe.causes.clip import ClipCauses
    from napari_sam2_probe.experiments.batch_clips import BatchClip
    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.folder import ExperimentFolder


def count_cause_passes(config: ExperimentConfig) -> int:
    """Return how many passes of a frame the causes of an experiment take at most."""
    return config.samples * sum(
        count_passes(config.lengths, has_twin=twin_kind(kind) in config.kinds, changes=changes_interjection(kind))
        for kind in config.kinds
    )


def cost_in_words(config: ExperimentConfig) -> str:
    """Report what causes cost before they are computed."""
    passes, tracked = count_cause_passes(config), config.samples * len(config.kinds) * config.num_frames
    clips = count(config.samples * len(config.kinds), "clip")
    return (
        f"Causes take at most {passes:,} passes of a frame, {passes / tracked:.0f} times those of tracking the "
        f"{clips}; image features of a clip are computed once."
    )


def iterate_causes(folder: ExperimentFolder, config: ExperimentConfig, threads: int) -> Generator[Progress, None, None]:
    """Find the causes of all clips that lack them, and join the tables; the clips must be made.

    Raises
    ------
    InputError, ResourceError
        If a clip or the model can't be used, or there is no room. What is complete is kept.
    """
    place = CausesFolder(folder)
    check_inside(folder.path, place.table("").parent, place.part("", "").parent)
    clips = [(kind, number) for kind in config.kinds for number in range(config.samples)]
    missing = [(kind, number) for kind, number in clips if not place.is_complete(clip_name(kind, number))]
    what = "finding causes"
    if missing:
        place.part("", "").parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(place.part("", "").parent)
        loaded, reader = load_model(config.model.choice()), ClipReader(folder)
        done = len(clips) - len(missing)
        yield Progress(done, len(clips), what, "clip")
        for kind, number in missing:
            twin = twin_kind(kind) if twin_kind(kind) in config.kinds else ""
            read = [_read(reader, name, number) for name in (kind, twin) if name]
            try:
                with processor_threads(threads):
                    found = explain_clip(
                        loaded,
                        _caused(read[0]),
                        _caused(read[1]) if twin else None,
                        config.lengths,
                        changes=changes_interjection(kind),
                    )
            finally:
                close_clips(read)
            with os_errors_as_sentences(folder.path, "experiment"):
                _write(place, read[0], found, config.lengths)
            done += 1
            yield Progress(done, len(clips), what, "clip")
    with os_errors_as_sentences(folder.path, "experiment"):
        place.table("").parent.mkdir(exist_ok=True)
        for name, columns in CAUSE_TABLES.items():
            join_tables(place.table(name), columns, [place.part(name, clip_name(*clip)) for clip in clips])


def _read(reader: ClipReader, kind: str, number: int) -> BatchClip:
    [clip] = reader.read(Batch("", kind, (clip_name(kind, number),)))
    return clip


def _caused(clip: BatchClip) -> CausedClip:
    return CausedClip(clip.frames, clip.true_masks, clip.truth)


def _write(place: CausesFolder, clip: BatchClip, found: ClipCauses, lengths: tuple[int, int, int]) -> None:
    stages = [stage for stage, length in zip(STAGES, lengths, strict=True) for _ in range(length)]
    recipe = clip.truth.recipe or {}
    about = {
        "kind": clip.kind,
        "clip": clip.name,
        "base_sequence": clip.base_sequence,
        "distractor_sequences": distractors_of(recipe) if recipe else "",
    }
    for name, columns in CAUSE_TABLES.items():
        rows = []
        for row in getattr(found, name):
            own: Mapping[str, Any] = {("entry" if key == "kind" else key): value for key, value in row.items()}
            stage = stages[row.get("measured_frame", row["frame"])]
            rows.append({**own, **about, "stage": stage})
        write_table(place.part(name, clip.name), columns, _by_column(rows, columns))


def _by_column(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, list[Any]]:
    return {name: [float("nan") if row[name] is None else row[name] for row in rows] for name in columns}
