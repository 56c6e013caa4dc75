"""Mask sequences made of integers only, so that they are the same on every machine.

Each sequence is a list of (ground truth, prediction) label images. Together they hold what is easy to get wrong in J
and F: objects at every border of the image, of one pixel, filling the frame, empty in either mask or both, an id that
never occurs, thin lines, touching objects, void.
"""

from __future__ import annotations

import hashlib

import numpy as np

HEIGHT, WIDTH = 90, 121
VOID = 255


def _disk(y: int, x: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def _blob(rng: np.random.Generator, y: int, x: int, size: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for _ in range(6):
        dy, dx = rng.integers(-size, size + 1, 2)
        mask |= _disk(y + int(dy), x + int(dx), int(rng.integers(2, size + 1)))
    return mask


def _moved(labels: np.ndarray, dy: int, dx: int) -> np.ndarray:
    rows = np.arange(HEIGHT) - dy
    columns = np.arange(WIDTH) - dx
    inside = ((rows >= 0) & (rows < HEIGHT))[:, None] & ((columns >= 0) & (columns < WIDTH))[None, :]
    return np.where(inside, labels[rows % HEIGHT][:, columns % WIDTH], 0).astype(np.uint8)


def _one_object(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    frames = []
    for t in range(14):
        truth = _blob(rng, 30 + 3 * t, 20 + 7 * t, 14).astype(np.uint8)
        speckle = rng.integers(0, 400, truth.shape) == 0
        prediction = np.where(speckle, 1, _moved(truth, int(rng.integers(-t, t + 1)), t // 2)).astype(np.uint8)
        frames.append((truth, prediction))
    return frames


def _three_objects(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    frames = []
    for t in range(11):
        truth = np.zeros((HEIGHT, WIDTH), np.uint8)
        truth[_blob(rng, 20, 5 + 4 * t, 12)] = 1
        if t not in (4, 5):
            truth[_blob(rng, 70, 100, 13)] = 2
        truth[_blob(rng, 50, 60 + t, 10)] = 3
        prediction = _moved(truth, int(rng.integers(-4, 5)), int(rng.integers(-4, 5)))
        if t in (5, 7):
            prediction[prediction == 2] = 0
        if t > 6:
            prediction[prediction == 3] = 1
        frames.append((truth, prediction))
    return frames


def _void_and_missing_id(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    frames = []
    for t in range(8):
        truth = np.zeros((HEIGHT, WIDTH), np.uint8)
        truth[_blob(rng, 40, 40, 15)] = 1
        truth[_blob(rng, 45, 80, 12)] = 3
        prediction = _moved(truth, t - 3, 2)
        prediction[prediction == 3] = 3 if t % 3 else 0
        truth[30:60, 55 + t : 62 + t] = VOID
        if t == 6:
            prediction[0:3, 0:3] = 2
        frames.append((truth, prediction))
    return frames


def _extremes(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    def empty() -> np.ndarray:
        return np.zeros((HEIGHT, WIDTH), np.uint8)

    def drawn(rows: slice, columns: slice) -> np.ndarray:
        labels = empty()
        labels[rows, columns] = 1
        return labels

    everything = slice(None)
    pixel = drawn(slice(44, 45), slice(60, 61))
    return [
        (pixel, pixel),
        (pixel, _moved(pixel, 0, 1)),
        (pixel, _moved(pixel, 1, 1)),
        (pixel, _moved(pixel, 2, 1)),
        (drawn(everything, everything), drawn(everything, everything)),
        (drawn(everything, everything), pixel),
        (empty(), empty()),
        (empty(), pixel),
        (pixel, empty()),
        (drawn(slice(0, 9), everything), drawn(slice(0, 11), everything)),
        (drawn(slice(-9, None), everything), drawn(slice(-12, None), everything)),
        (drawn(everything, slice(0, 5)), drawn(everything, slice(0, 1))),
        (drawn(everything, slice(-5, None)), drawn(everything, slice(-6, None))),
        (drawn(slice(-1, None), slice(-1, None)), drawn(slice(0, 1), slice(0, 1))),
        (drawn(slice(-2, None), slice(-3, None)), drawn(slice(-3, None), slice(-2, None))),
        (drawn(slice(40, 41), everything), drawn(slice(42, 43), everything)),
        (1 - drawn(slice(20, 60), slice(20, 60)), 1 - drawn(slice(21, 60), slice(20, 62))),
        (rng.integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8), rng.integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8)),
        (pixel, pixel),
    ]


def sequences() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return all sequences by name; the masks of a call are those of any other."""
    makers = {
        "one-object": _one_object,
        "three-objects": _three_objects,
        "void-and-missing-id": _void_and_missing_id,
        "extremes": _extremes,
    }
    return {name: make(np.random.default_rng(index)) for index, (name, make) in enumerate(makers.items())}


def digest() -> str:
    """Return a hash of all masks, by which golden numbers are tied to them."""
    state = hashlib.sha256()
    for frames in sequences().values():
        for truth, prediction in frames:
            state.update(truth.tobytes() + prediction.tobytes())
    return state.hexdigest()


def write(folder, *, which: int) -> None:
    """Write the ground truth (`which` = 0) or the predictions (1) as ``folder/<sequence>/%05d.png``."""
    from napari_sam2_probe.video.masks import write_mask

    for name, frames in sequences().items():
        for index, pair in enumerate(frames):
            write_mask(folder / name / f"{index:05d}.png", pair[which])
