"""How fast data sets of clips are made, against writing the same JPEGs with nothing else done.

    python benchmarks/transform_throughput.py --davis ROOT --clips 500 [--copies 10] [--kinds obscuration ...] [--clock]

Reading footage, planning, compositing and writing masks and tables all count; measuring the data set, which is done
once whatever the number of clips, doesn't. The comparison writes the frames of the same clips, already in memory.

In one process, clips and comparison take turns, clip by clip, and processor times are compared: other work on the
machine disturbs both alike. With `--clock`, clips are also made with a process a processor: its processor time is
that of all processes, and frames a second by the clock are compared, which needs a quiet machine.

The more clips a sequence gives, the more of its frames are decoded and encoded for several of them: 500 clips of the
90 sequences of DAVIS are 5 to 6 a sequence. With `--copies 10`, every sequence counts as ten, so that the
nine of a small data set stand in for DAVIS: nothing that is kept of one is of use for another.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from napari_sam2_probe.transforms.dataset import make_dataset, measure
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.transforms.workers import default_workers
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.catalogue import Catalogue
    from napari_sam2_probe.video import Video

FRAMES = sum(DEFAULT_LENGTHS)


class Copies(Mapping):
    """A data set in which every sequence is there under several names that have nothing to do with each other."""

    def __init__(self, dataset: DavisDataset, copies: int) -> None:
        self._dataset = dataset
        self._originals = {f"{name.replace('-', '')}-{copy}": name for name in dataset.names for copy in range(copies)}

    def __getitem__(self, name: str) -> Video:
        return self._dataset[self._originals[name]]

    def __iter__(self):
        return iter(self._originals)

    def __len__(self) -> int:
        return len(self._originals)


@dataclass
class Seconds:
    """What has been taken so far: processor time, that of processes which have ended included, and by the clock."""

    processor: float = 0.0
    clock: float = 0.0

    def start(self) -> None:
        self.processor -= processor_time()
        self.clock -= time.perf_counter()

    def stop(self) -> None:
        self.processor += processor_time()
        self.clock += time.perf_counter()


def processor_time() -> float:
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system


def write_jpegs(clip: Path, out: Path, took: Seconds) -> None:
    """Write what a clip holds; decoding it doesn't count."""
    images = []
    for file in sorted(clip.iterdir()):
        with Image.open(file) as image:
            images.append(image.convert("RGB"))
    out.mkdir()
    took.start()
    for t, image in enumerate(images):
        image.save(out / f"{t:05d}.jpg", format="JPEG", quality=95, subsampling=0)
    took.stop()
    shutil.rmtree(out)


def in_turns(
    dataset: Mapping[str, Video], catalogue: Catalogue, folder: Path, kind: str, clips: int, every: int
) -> tuple[Seconds, Seconds]:
    """Make clips in this process, and write the JPEGs of every so-manieth of them; return what a frame took."""
    making, writing = Seconds(), Seconds()
    frames = folder / "clips" / "JPEGImages" / "480p"
    known: set[str] = set()
    compared = 0

    def note(event) -> None:
        nonlocal compared
        if event.done:
            making.stop()
            (name,) = {clip.name for clip in frames.iterdir()} - known
            known.add(name)
            if event.done % every == 0:
                write_jpegs(frames / name, folder / "jpegs", writing)
                compared += 1
        making.start()

    make_dataset(dataset, folder / "clips", ClipSpec(kind), clips, workers=1, catalogue=catalogue, progress=note)
    making.stop()
    return a_frame(making, clips), a_frame(writing, compared)


def by_the_clock(dataset: Mapping[str, Video], catalogue: Catalogue, folder: Path, kind: str, clips: int) -> Seconds:
    """Make clips with a process a processor; return what a frame took, from the start of the processes."""
    took = Seconds()
    took.start()
    make_dataset(dataset, folder / "clips", ClipSpec(kind), clips, workers=default_workers(), catalogue=catalogue)
    took.stop()
    return a_frame(took, clips)


def a_frame(took: Seconds, clips: int) -> Seconds:
    return Seconds(took.processor / clips / FRAMES, took.clock / clips / FRAMES)


def milliseconds(*seconds: float) -> list[str]:
    return [f"{second * 1e3:.2f} ms" for second in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--copies", type=int, default=1, help="how many sequences each sequence counts as")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--clock", action="store_true", help="also measure a process a processor by the clock")
    arguments = parser.parse_args()
    dataset = Copies(DavisDataset(arguments.davis), arguments.copies)
    catalogue = measure(dataset, default_workers())
    # So that comparing takes a fifth of the time of making where there are many.
    every = max(1, arguments.clips // 100)
    print(f"{arguments.clips} clips of {len(dataset)} sequences, a frame:")
    columns = ["JPEGs only", "clips", "ratio"]
    if arguments.clock:
        columns += [f"{default_workers()} processes", "by the clock", "ratio"]
    print(f"{'':<17}" + "".join(f"{column:>14}" for column in columns))
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as folder:
            made, written = in_turns(dataset, catalogue, Path(folder), kind, arguments.clips, every)
        line = [*milliseconds(written.processor, made.processor), f"{written.processor / made.processor:.2f}"]
        if arguments.clock:
            with tempfile.TemporaryDirectory() as folder:
                all_processes = by_the_clock(dataset, catalogue, Path(folder), kind, arguments.clips)
            line += milliseconds(all_processes.processor, all_processes.clock)
            line += [f"{written.clock / all_processes.clock:.2f}"]
        print(f"{kind:<17}" + "".join(f"{column:>14}" for column in line), flush=True)


if __name__ == "__main__":
    main()
