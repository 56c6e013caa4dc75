"""How fast data sets of clips are made, against writing the same JPEGs with nothing else done.

    python benchmarks/transform_throughput.py --davis ROOT [--samples 24] [--kinds obscuration ...]

Reading footage, planning, compositing and writing masks and tables all count; measuring the data set, which is done
once whatever the number of clips, is timed apart. The comparison writes the frames of the same clips, already in
memory, from one process. Both take turns, and the best of the rounds is compared.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from napari_sam2_probe.transforms.dataset import make_dataset, measure
from napari_sam2_probe.transforms.plan import Order
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.transforms.workers import default_workers
from napari_sam2_probe.video.davis import DavisDataset


def write_jpegs(clips: Path, out: Path) -> float:
    """Return frames a second of decoding nothing and writing what `clips` holds."""
    seconds, frames = 0.0, 0
    for folder in sorted((clips / "JPEGImages" / "480p").iterdir()):
        images = []
        for file in sorted(folder.iterdir()):
            with Image.open(file) as image:
                images.append(image.convert("RGB"))
        (out / folder.name).mkdir(parents=True)
        start = time.perf_counter()
        for t, image in enumerate(images):
            image.save(out / folder.name / f"{t:05d}.jpg", format="JPEG", quality=95, subsampling=0)
        seconds += time.perf_counter() - start
        frames += len(images)
    return frames / seconds


def generate(dataset: DavisDataset, out: Path, kind: str, samples: int, workers: int) -> float:
    """Return frames a second of clips, from the first clip's start to the last table's end."""
    begun: list[float] = []

    def note(event) -> None:
        if event.unit == "clip" and not begun:
            begun.append(time.perf_counter())

    make_dataset(dataset, out, Order(kind), samples, workers=workers, progress=note)
    return samples * 28 / (time.perf_counter() - begun[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    dataset = DavisDataset(arguments.davis)
    start = time.perf_counter()
    measure(dataset, default_workers())
    print(f"measuring the data set: {time.perf_counter() - start:.1f} s, once")
    print(
        f"{'kind':<17}{'JPEGs only':>12}{'1 process':>12}{'ratio':>7}{f'{default_workers()} processes':>14}{'ratio':>7}"
    )
    for kind in arguments.kinds:
        best = {"jpegs": 0.0, "one": 0.0, "all": 0.0}
        for _ in range(arguments.rounds):
            folder = Path(tempfile.mkdtemp())
            try:
                one = generate(dataset, folder / "one", kind, arguments.samples, 1)
                every = generate(dataset, folder / "all", kind, arguments.samples, default_workers())
                jpegs = write_jpegs(folder / "one", folder / "jpegs")
            finally:
                shutil.rmtree(folder)
            best = {
                "jpegs": max(best["jpegs"], jpegs),
                "one": max(best["one"], one),
                "all": max(best["all"], every),
            }
        print(
            f"{kind:<17}{best['jpegs']:>10.0f}/s{best['one']:>10.0f}/s{best['one'] / best['jpegs']:>7.2f}"
            f"{best['all']:>12.0f}/s{best['all'] / best['jpegs']:>7.2f}"
        )


if __name__ == "__main__":
    main()
