"""Make a data set of transformed clips: planned from a seed, parallel over clips, resumable."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ignore_progress
from napari_sam2_probe.transforms.catalogue import Catalogue, SequenceEntry, measure_sequence
from napari_sam2_probe.transforms.encoding import Encoder
from napari_sam2_probe.transforms.footage import DEFAULT_OBJECT_BYTES, Footage
from napari_sam2_probe.transforms.make import compose_clip
from napari_sam2_probe.transforms.plan import ClipSpec, draw_base, plan_recipe
from napari_sam2_probe.transforms.recipe import clip_name
from napari_sam2_probe.transforms.registry import can_be_sent, register_again, registered_by_hand
from napari_sam2_probe.transforms.store import ClipStore, describe
from napari_sam2_probe.transforms.workers import default_workers, map_unordered
from napari_sam2_probe.video.contents import fingerprint_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.video.video import Video

MOST_SAMPLES = 1_000_000
"""Clips of one data set: their plan is made before the first, and file systems don't like larger folders."""

# All objects of DAVIS that can be cut out take a little less, at 480p.
_MOST_OBJECT_BYTES = 2 * 2**30
# So many clips that share footage one process makes in a row: it then decodes and encodes that once.
_NEIGHBOURS = 8


def make_dataset(
    dataset: Mapping[str, Video],
    out: Path | str,
    order: ClipSpec,
    samples: int = 500,
    *,
    lossless: bool = False,
    workers: int | None = None,
    catalogue: Catalogue | None = None,
    progress: ProgressCallback = ignore_progress,
) -> None:
    """Make `samples` clips of one kind and write them in DAVIS layout.

    The same arguments give the same bytes, whatever the number of workers. A run that was stopped goes on where it
    stopped when it is called again; a finished one is left as it is, and clips of which a file or a row has gone since
    are made again.

    Parameters
    ----------
    dataset
        Where the footage comes from: videos with masks by name, such as a `napari_sam2_probe.video.DavisDataset`.
    out
        The folder to write: new, empty, or begun with the same arguments.
    order
        Kind, seed, lengths, options and corruptions.
    samples
        Number of clips. Bases are drawn with replacement, so that few sequences give many clips.
    lossless
        Write frames as PNG instead of JPEG (quality 95, 4:4:4).
    workers
        Number of processes; that of processors if None. With 1 all happens in this process.
    catalogue
        What `measure` found, where it is known already.
    progress
        Called for every sequence that is measured and every clip that is made.

    Raises
    ------
    InputError
        If the data set can't give such clips, a file of it can't be read, or `out` holds something else or is being
        written to by another process.
    ResourceError
        If the disk is full, or a worker process dies.
    """
    events = iterate_dataset(dataset, out, order, samples, lossless=lossless, workers=workers, catalogue=catalogue)
    with closing(events):
        for event in events:
            progress(event)


def iterate_dataset(
    dataset: Mapping[str, Video],
    out: Path | str,
    order: ClipSpec,
    samples: int = 500,
    *,
    lossless: bool = False,
    workers: int | None = None,
    catalogue: Catalogue | None = None,
) -> Generator[Progress, None, None]:
    """Do what `make_dataset` does step by step, for whoever wants to stop in between: by closing the iterator."""
    if samples < 1:
        raise InputError(f"{samples} samples were asked for: ask for at least one.")
    if samples > MOST_SAMPLES:
        raise InputError(
            f"{samples} samples were asked for: ask for {MOST_SAMPLES} at most, and for more by other seeds."
        )
    workers = default_workers() if workers is None else workers
    store = ClipStore(Path(out), lossless)
    if catalogue is None:
        catalogue = yield from iterate_measure(dataset, workers)
    configuration = describe(order, samples, lossless=lossless, source=store.source_of(catalogue))
    names = [clip_name(order.kind, number) for number in range(samples)]
    if store.check(configuration) and store.is_complete(names):
        store.clean_up()
        return
    bases = [draw_base(catalogue, order, number) for number in range(samples)]
    # Refuse what no clip can be made of before anything is written.
    plan_recipe(catalogue, Footage(dataset, catalogue), order, 0)
    by_hand = registered_by_hand(order.kind, order.then)
    workers = workers if can_be_sent(by_hand) else 1
    with store.locked():
        # Again: another process may have been at work until now.
        store.check(configuration)
        missing = store.begin(configuration, names)
        # Neighbours share footage, which then is decoded once.
        missing.sort(key=lambda number: (bases[number].sequence, bases[number].start, number))
        what = f"making {order.kind} clips"
        done = samples - len(missing)
        yield Progress(done, samples, what, "clip")
        making = (dataset, catalogue, order, store, memory_for_objects(min(workers, len(missing))), by_hand)
        with closing(map_unordered(_clip_maker, making, missing, workers, _NEIGHBOURS)) as made:
            for _ in made:
                done += 1
                yield Progress(done, samples, what, "clip")
        store.finish(names, configuration)


def measure(dataset: Mapping[str, Video], workers: int = 1, progress: ProgressCallback = ignore_progress) -> Catalogue:
    """Read all masks of a data set and note where its objects are."""
    with closing(iterate_measure(dataset, workers)) as steps:
        while True:
            try:
                progress(next(steps))
            except StopIteration as end:
                catalogue: Catalogue = end.value
                return catalogue


def iterate_measure(dataset: Mapping[str, Video], workers: int | None = None) -> Generator[Progress, None, Catalogue]:
    """Do what `measure` does step by step; the catalogue is the generator's return value."""
    workers = default_workers() if workers is None else workers
    entries: dict[str, SequenceEntry] = {}
    with closing(map_unordered(_measurer, (dataset,), list(dataset), workers)) as measured:
        for name, entry in measured:
            entries[name] = entry
            yield Progress(len(entries), len(dataset), "reading masks", "sequence")
    return Catalogue(tuple(entries[name] for name in dataset))


def _measurer(dataset: Mapping[str, Video]) -> Callable[[str], SequenceEntry]:
    def measure(name: str) -> SequenceEntry:
        video = dataset[name]
        return replace(measure_sequence(name, video), contents=fingerprint_contents(video))

    return measure


def memory_for_objects(workers: int) -> int:
    """Return how much memory each of so many processes may fill with objects: of what is free, a quarter for all."""
    import psutil

    share = int(psutil.virtual_memory().available) // (4 * max(workers, 1))
    return min(max(share, DEFAULT_OBJECT_BYTES), _MOST_OBJECT_BYTES)


def _clip_maker(
    dataset: Mapping[str, Video],
    catalogue: Catalogue,
    order: ClipSpec,
    store: ClipStore,
    object_bytes: int,
    by_hand: tuple[type[Any], ...],
) -> Callable[[int], None]:
    register_again(by_hand)
    footage = Footage(dataset, catalogue, object_bytes=object_bytes, one_clip_at_a_time=True)
    encoder = Encoder(store.lossless)

    def make(number: int) -> None:
        recipe = plan_recipe(catalogue, footage, order, number)
        store.write_clip(clip_name(order.kind, number), recipe, compose_clip(recipe, footage), encoder)

    return make
