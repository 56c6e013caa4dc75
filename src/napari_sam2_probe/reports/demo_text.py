"""The demo's numbers in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.feature_names import SHORT_TERM
from napari_sam2_probe.common.words import times
from napari_sam2_probe.models.caveat import remark
from napari_sam2_probe.probe.positions import IMAGE_EMBEDDING, OBJECT_POINTER, OBJECT_POINTER_RAW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.export.clip_view import ClipView


_COMPARED = (IMAGE_EMBEDDING.number, OBJECT_POINTER.number, OBJECT_POINTER_RAW.number)
_NAMES = (
    "the image embedding (position 1)",
    "the object pointer (4)",
    "the pointer before the no-object gate (4r)",
)


def describe_interjection(clean: ClipView, interjected: ClipView) -> tuple[str, ...]:
    """Describe what the interjection did to masks, object score and features."""
    scores = interjected.scores
    absent = ~interjected.object_present
    object_scores = interjected.run.object_scores[interjected.obj_index]
    believed_gone = int((object_scores[absent] <= 0).sum())
    prompted = interjected.run.prompted[interjected.obj_index]
    believed_there = int((object_scores[~absent & ~prompted] > 0).sum())
    lines = [
        f"The object was tracked with a mean J&F of {scores.prefix_jf:.2f} before the interjection and "
        f"{scores.suffix_jf:.2f} after it (clean twin: mean J {np.nanmean(clean.region_similarity):.2f} throughout).",
        f"SAM 2 believed the object gone on {believed_gone} of the {int(absent.sum())} interjected frames and present "
        f"on {believed_there} of the other {int((~absent & ~prompted).sum())}; it drew a mask where there was none on "
        f"{int(scores.false_positive.sum())}.",
    ]
    first = int(np.flatnonzero(absent)[0])
    changed = [_rise(interjected, position, first) for position in _COMPARED]
    unchanged = [_rise(clean, position, first) for position in _COMPARED]
    if np.isfinite([*changed, *unchanged]).all():
        said = [
            f"{times(with_it)} at {name}, where without the interjection it is {times(without)}"
            for with_it, without, name in zip(changed, unchanged, _NAMES, strict=True)
        ]
        lines.append(
            f"On frame {first}, the first interjected one, the short-term distance is, in units of the ordinary step "
            f"between frames: {'; '.join(said)}. Both look back one frame; later interjected frames look back further, "
            "which alone makes them look far. One clip shows what the measure does and is no evidence; a report of an "
            "experiment has intervals and controls."
        )
    return tuple(lines)


def describe_obscuration(clean: ClipView, obscured: ClipView, response: ObscurationResponse) -> tuple[str, ...]:
    """Describe what the obscuration did to masks and pointers."""
    assert obscured.truth is not None
    fraction = obscured.truth.obscured_fraction
    worst = int(np.nanargmax(fraction))
    overlap = obscured.region_similarity
    lines = [
        f"The passing object covers up to {fraction[worst]:.0%} of the object of interest (frame {worst}). J of its "
        f"visible part is {np.nanmean(overlap):.2f} in the mean and {np.nanmin(overlap):.2f} at worst (frame "
        f"{int(np.nanargmin(overlap))}); on the clean twin the mean is {np.nanmean(clean.region_similarity):.2f}.",
        "Correlation of the distance between the two clips' pointers with the obscured fraction, over the frames: "
        f"{response.pearson}; {response.spearman}.",
    ]
    free = response.distance[response.unobscured]
    free = free[free > 0]
    if free.size:
        lines.append(
            f"Also where nothing is covered the pointers differ, by {free.min():.2f} to {free.max():.2f} "
            f"({free.size} frames), before the cover or after it: what is in sight and what was both count there."
        )
    return tuple(lines)


def describe_model(model: Mapping[str, Any]) -> str:
    """Describe the model, from what a run recorded, for a page's last table."""
    weights = f"SHA-256 {model['sha256']}" if model.get("sha256") else "untrained"
    parts = [model.get("config"), _pixels(model.get("image_size")), weights, remark(model)]
    return f"{model.get('checkpoint')} ({', '.join(str(part) for part in parts if part)})"


def provenance(
    model: dict[str, Any], interjected: ClipView, obscured: ClipView, command: str
) -> tuple[tuple[str, str], ...]:
    """Return what made the page, for its last table."""
    software = interjected.run.info["software"]
    seconds = sum(view.run.info["times"]["seconds"] for view in (interjected, obscured))
    frames = interjected.run.num_frames + obscured.run.num_frames
    return (
        ("Command", command),
        ("Model", describe_model(model)),
        ("Device", f"{model['device_name']}, {model['dtype']}, {model['threads']} threads"),
        ("Speed", f"{seconds / frames:.3f} s a frame, probing and writing included"),
        ("Clips", f"{_origin(interjected)}; {_origin(obscured)}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in software.items())),
    )


def _pixels(image_size: int | None) -> str:
    """Return the size at which SAM 2 sees frames, in words; nothing where an older run didn't record it."""
    return f"{image_size} × {image_size} pixels" if image_size else ""


def _rise(view: ClipView, position: str, frame: int) -> float:
    """Return the short-term distance on one frame over the median of frames before it with ordinary references."""
    short = view.features().values(position, SHORT_TERM.column)
    # The frame after a prompted one is compared with a tensor that arose otherwise, so it is no yardstick.
    usual = np.nanmedian(short[2:frame])
    return float(short[frame] / usual)


def _origin(view: ClipView) -> str:
    assert view.truth is not None
    return f"{view.kind} of {view.truth.source_sequence[0]}"
