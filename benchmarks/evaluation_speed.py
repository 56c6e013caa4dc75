"""Time our J and F against the official DAVIS evaluation: same masks, same process, one thread.

python benchmarks/evaluation_speed.py [--davis ROOT] [--official CHECKOUT] [--pred DIR] [--sequences NAME ...]

ROOT is a DAVIS root (or the environment variable SAM2_PROBE_DAVIS). CHECKOUT (or SAM2_PROBE_DAVIS_EVAL) is a
checkout of github.com/davisvideochallenge/davis2017-evaluation; it needs OpenCV. Without --pred, predictions are
ground-truth masks shifted by a few pixels. Two things are timed, alternating, and the median of the rounds is taken:

* scores: label images in memory to mean, recall and decay (the objects are told apart within the time on both sides);
* files: the whole evaluation from PNG files, where both spend about the same time on decoding.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sam2_probe.evaluation.metrics import SequenceEvaluator, evaluate_folders
from napari_sam2_probe.video.masks import object_ids, read_mask, write_mask


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, default=os.environ.get("SAM2_PROBE_DAVIS"))
    parser.add_argument("--official", type=Path, default=os.environ.get("SAM2_PROBE_DAVIS_EVAL"))
    parser.add_argument("--pred", type=Path)
    parser.add_argument("--sequences", nargs="+", default=["blackswan", "car-shadow", "kite-surf"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.davis is None:
        parser.error("give --davis ROOT or set SAM2_PROBE_DAVIS")
    if arguments.official is None:
        parser.error("give --official CHECKOUT or set SAM2_PROBE_DAVIS_EVAL")
    sys.path.insert(0, str(arguments.official))
    import cv2

    cv2.setNumThreads(1)
    print(_machine(cv2.__version__))
    with tempfile.TemporaryDirectory() as folder:
        truth, predicted = Path(folder) / "Annotations" / "480p", Path(folder) / "predictions"
        _link_masks(arguments, truth, predicted)
        (Path(folder) / "ImageSets" / "2017").mkdir(parents=True)
        (Path(folder) / "ImageSets" / "2017" / "val.txt").write_text("\n".join(arguments.sequences))
        ratios = [
            _compare("scores", *_score_jobs(truth, predicted), arguments.rounds),
            _compare("files", *_file_jobs(Path(folder), truth, predicted, arguments.sequences), arguments.rounds),
        ]
    return 0 if ratios[0] >= 10 else 1


def _compare(what, ours, official, num_frames, rounds) -> float:
    times = {"ours": [], "official": []}
    results = {}
    for _ in range(rounds + 1):
        for name, job in (("ours", ours), ("official", official)):
            start = time.perf_counter()
            results[name] = job()
            times[name].append(time.perf_counter() - start)
    # The first round fills caches.
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    ratio = medians["official"] / medians["ours"]
    difference = np.abs(np.subtract(results["ours"], results["official"])).max()
    print(
        f"{what}: {num_frames} frames, official {medians['official'] / num_frames * 1e3:.2f} ms a frame, "
        f"ours {medians['ours'] / num_frames * 1e3:.2f} ms: {ratio:.1f} times as fast; "
        f"largest difference {difference:.1e}"
    )
    return ratio


def _score_jobs(truth: Path, predicted: Path):
    from davis2017.evaluation import DAVISEvaluation
    from davis2017.utils import db_statistics

    masks = []
    for sequence in sorted(truth.iterdir()):
        names = sorted(path.name for path in sequence.glob("*.png"))
        labels = [
            np.stack([read_mask(folder / sequence.name / name) for name in names[1:-1]])
            for folder in (truth, predicted)
        ]
        masks.append((max(object_ids(read_mask(sequence / names[0]))), *labels))

    def ours() -> list[float]:
        values = []
        for num_objects, true_labels, predicted_labels in masks:
            evaluator = SequenceEvaluator(range(1, num_objects + 1))
            for pair in zip(true_labels, predicted_labels, strict=True):
                evaluator.add_frame(*pair)
            for scores in evaluator.conclude():
                for summary in (scores.region, scores.boundary):
                    values += [summary.mean, summary.recall, summary.decay]
        return values

    def official() -> list[float]:
        values = []
        for num_objects, true_labels, predicted_labels in masks:
            ids = np.arange(1, num_objects + 1)[:, None, None, None]
            region, boundary = DAVISEvaluation._evaluate_semisupervised(
                true_labels == ids, predicted_labels == ids, None, ("J", "F")
            )
            for rows in zip(region, boundary, strict=True):
                for row in rows:
                    values += db_statistics(row)
        return values

    return ours, official, sum(len(labels) for _, labels, _ in masks)


def _file_jobs(root: Path, truth: Path, predicted: Path, sequences: list[str]):
    from davis2017.evaluation import DAVISEvaluation

    def ours() -> list[float]:
        scores = evaluate_folders(truth, predicted)
        return [scores.region.mean, scores.boundary.mean]

    def official() -> list[float]:
        with contextlib.redirect_stderr(io.StringIO()):
            evaluation = DAVISEvaluation(str(root), "semi-supervised", "val", sequences=sequences, codalab=True)
            scores = evaluation.evaluate(str(predicted))
        return [float(np.mean(scores["J"]["M"])), float(np.mean(scores["F"]["M"]))]

    return ours, official, sum(len(list((truth / name).glob("*.png"))) - 2 for name in sequences)


def _link_masks(arguments: argparse.Namespace, truth: Path, predicted: Path) -> None:
    for name in arguments.sequences:
        source = arguments.davis / "Annotations" / "480p" / name
        if not source.is_dir():
            raise SystemExit(f"There is no sequence {source}: name others with --sequences.")
        for index, path in enumerate(sorted(source.glob("*.png"))):
            for folder in (truth, predicted):
                (folder / name).mkdir(parents=True, exist_ok=True)
            (truth / name / path.name).symlink_to(path.resolve())
            if arguments.pred is not None:
                (predicted / name / path.name).symlink_to((arguments.pred / name / path.name).resolve())
            else:
                shift = (index % 7 - 3, index % 11 - 5)
                write_mask(predicted / name / path.name, np.roll(read_mask(path), shift, axis=(0, 1)))


def _machine(opencv: str) -> str:
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        models = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, OpenCV {opencv} with one thread"
    )


if __name__ == "__main__":
    sys.exit(main())
