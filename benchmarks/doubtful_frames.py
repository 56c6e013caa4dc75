"""How often the frames that the window calls doubtful are wrong, and how many wrong ones it finds.

Every object is tracked forward from its first frame, once from a click on the point of its mask that is farthest from
the mask's edge and once from the mask itself. A mask is wrong if its J with the true mask is below 0.5; only frames
that show the object count, and not the prompted one. Precision: the share of doubtful frames that are wrong. Recall:
the share of wrong frames that are doubtful.

    python benchmarks/doubtful_frames.py --davis DAVIS --model sample
    python benchmarks/doubtful_frames.py --samples
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

import napari_sam2_probe as sp
from napari_sam2_probe.analysis.auroc import auroc
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.live.doubt import is_doubtful
from napari_sam2_probe.video import DavisDataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

WRONG_BELOW = 0.5


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", help="a data set in DAVIS layout")
    parser.add_argument("--samples", action="store_true", help="the sample videos instead")
    parser.add_argument("--model", default="sample")
    parser.add_argument("--frames", type=int, default=50, help="of each sequence, from the first on")
    options = parser.parse_args()
    dataset = DavisDataset(sample_data_folder() if options.samples or options.davis is None else options.davis)
    model = sp.load_model(options.model)
    for how in ("click", "mask"):
        found = [row for name in dataset.names for row in _objects(dataset.sequence(name), model, how, options.frames)]
        wrong, doubtful, scores, ious = (np.concatenate(part) for part in zip(*found, strict=True))
        both = int((wrong & doubtful).sum())
        losing = [row for row in found if row[0].any()]
        seen = sum(bool((row[0] & row[1]).any()) for row in losing)
        print(
            f"{how}: {len(found)} objects, {len(wrong)} frames, {wrong.sum()} wrong, {doubtful.sum()} doubtful, "
            f"precision {both / max(doubtful.sum(), 1):.2f}, recall {both / max(wrong.sum(), 1):.2f}, "
            f"objects with wrong frames that are found {seen} of {len(losing)}; "
            f"AUROC object score {auroc(-scores, wrong):.2f}, "
            f"predicted IoU {auroc(-ious, wrong):.2f}"
        )


def _objects(video: sp.Video, model: sp.Model, how: str, most: int) -> list[tuple[NDArray[np.generic], ...]]:
    masks = {obj_id: video.object_mask(0, obj_id) for obj_id in video.object_ids()}
    there = {obj_id: mask for obj_id, mask in masks.items() if mask is not None and mask.any()}
    prompts = [
        sp.mask(mask, object_id=obj_id) if how == "mask" else _click(mask, obj_id) for obj_id, mask in there.items()
    ]
    run = sp.track(video, prompts, model=model, end=min(video.num_frames, most) - 1)
    found = []
    for row, obj_id in enumerate(run.objects):
        predicted = run._opened.masks_per_object[row]
        truth = {t: video.object_mask(t, obj_id) for t in range(1, min(video.num_frames, most))}
        frames = [t for t, mask in truth.items() if mask is not None and mask.any()]
        wrong = np.array([region_similarity(truth[t], predicted[t]) < WRONG_BELOW for t in frames])
        scores, ious = run._opened.object_scores[row], run._opened.predicted_iou[row]
        found.append((wrong, is_doubtful(scores, ious)[frames], scores[frames], ious[frames]))
    return found


def _click(mask: NDArray[np.bool_], obj_id: int) -> object:
    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    return sp.points((x + 0.5, y + 0.5), object_id=obj_id)


if __name__ == "__main__":
    main()
