"""How fast data sets of clips are made, against writing the same JPEGs with nothing else done.

    python benchmarks/transform_throughput.py --davis ROOT [--samples 50] [--kinds obscuration ...]

Reading footage, planning, compositing and writing masks and tables all count; measuring the data set, which is done
once whatever the number of clips, is timed apart. The comparison writes the frames of the same clips, already in
memory, from one process. Both take turns, and the best of the rounds is compared.

Two ratios are given: that of processor times in one process, which other work on the machine hardly disturbs, and
that of wall clocks with a process a processor. The more clips a sequence gives, the more of its frames are decoded
and encoded for several of them: 500 clips of the 90 sequences of DAVIS are 5 to 6 a sequence.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from PIL import Image

from napari_sam2_probe.transforms.dataset import make_dataset, measure
from napari_sam2_probe.transforms.plan import Order
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.transforms.workers import default_workers
from napari_sam2_probe.video.davis import DavisDataset


@dataclass(frozen=True)
class Took:
    """Seconds a frame."""

    processor: float
    clock: float

    def best(self, other: Took) -> Took:
        return Took(min(self.processor, other.processor), min(self.clock, other.clock))


class Stopwatch:
    def __init__(self) -> None:
        self.processor, self.clock = time.process_time(), time.perf_counter()

    def took(self) -> Took:
        return Took(time.process_time() - self.processor, time.perf_counter() - self.clock)


def write_jpegs(clips: Path, out: Path) -> Took:
    """Write what `clips` holds; decoding it doesn't count."""
    parts, frames = [], 0
    for folder in sorted((clips / "JPEGImages" / "480p").iterdir()):
        images = []
        for file in sorted(folder.iterdir()):
            with Image.open(file) as image:
                images.append(image.convert("RGB"))
        (out / folder.name).mkdir(parents=True)
        watch = Stopwatch()
        for t, image in enumerate(images):
            image.save(out / folder.name / f"{t:05d}.jpg", format="JPEG", quality=95, subsampling=0)
        parts.append(watch.took())
        frames += len(images)
    return Took(sum(part.processor for part in parts) / frames, sum(part.clock for part in parts) / frames)


def generate(dataset: DavisDataset, out: Path, kind: str, samples: int, workers: int) -> Took:
    """Make clips, from the first clip's start to the last table's end; the processor time is this process's own."""
    begun: list[Stopwatch] = []

    def note(event) -> None:
        if event.unit == "clip" and not begun:
            begun.append(Stopwatch())

    make_dataset(dataset, out, Order(kind), samples, workers=workers, progress=note)
    took = begun[0].took()
    return Took(took.processor / samples / 28, took.clock / samples / 28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    dataset = DavisDataset(arguments.davis)
    start = time.perf_counter()
    measure(dataset, default_workers())
    print(f"measuring the data set: {time.perf_counter() - start:.1f} s, once")
    print(f"{'':<17}{'processor time a frame, one process':^45}{f'wall clock, {default_workers()} processes':^26}")
    print(f"{'kind':<17}{'JPEGs only':>15}{'clips':>15}{'ratio':>15}{'clips':>16}{'ratio':>10}")
    for kind in arguments.kinds:
        rounds: list[tuple[Took, Took, Took]] = []
        for _ in range(arguments.rounds):
            folder = Path(tempfile.mkdtemp())
            try:
                one = generate(dataset, folder / "one", kind, arguments.samples, 1)
                every = generate(dataset, folder / "all", kind, arguments.samples, default_workers())
                rounds.append((write_jpegs(folder / "one", folder / "jpegs"), one, every))
            finally:
                shutil.rmtree(folder)
        jpegs, one, every = (reduce(Took.best, column) for column in zip(*rounds, strict=True))
        print(
            f"{kind:<17}{jpegs.processor * 1e3:>12.2f} ms{one.processor * 1e3:>12.2f} ms"
            f"{jpegs.processor / one.processor:>15.2f}{1 / every.clock:>14.0f}/s{jpegs.clock / every.clock:>10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
