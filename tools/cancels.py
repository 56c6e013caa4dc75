"""Cancel sessions at random moments, and compare what is on disk with the same session left alone.

python tools/cancels.py               200 cancels; exit 1 if anything was lost or wrong
python tools/cancels.py --cancels 20 --seed 3

Half of them leave the tracking at a random frame, as the window's *Cancel* does; half are a Ctrl+C that arrives at a
random moment, whatever is being computed or written then. Every tenth session is then gone on with to its end.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
import torch

from helpers.scenarios import moving_video, square_mask
from helpers.twins import make_twins
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.live.session import Session
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video import ArraySource

T, H, W = 8, 60, 100
VIDEO = ArraySource(moving_video(T, H, W), name="moving")
SCENARIOS = {
    "a click, forward": ([Prompt.from_points(0, 1, [[35, 42]], [1])], "forward"),
    "a box, both ways": ([Prompt.from_points(3, 7, box=[18, 28, 52, 58])], "both"),
    "two objects, backward": (
        [Prompt.from_mask(T - 1, 2, square_mask(T - 1, H, W)), Prompt.from_points(T - 1, 5, [[85, 12]], [1])],
        "backward",
    ),
}


@dataclass
class Tally:
    """What became of the cancelled sessions."""

    cancels: int = 0
    frames: int = 0
    gone_on: int = 0
    without_run: int = 0
    wrong: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cancels", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, tallies = random.Random(arguments.seed), {"at a frame": Tally(), "Ctrl+C at any moment": Tally()}
    signal.signal(signal.SIGALRM, _interrupt)
    # The number of threads moves float32 results.
    torch.set_num_threads(1)
    model = small_model()
    with tempfile.TemporaryDirectory() as place:
        whole = {name: left_alone(model, name, Path(place)) for name in SCENARIOS}
        for number in range(arguments.cancels):
            name, at_a_frame = rng.choice(list(SCENARIOS)), number % 2 == 0
            tally = tallies["at a frame" if at_a_frame else "Ctrl+C at any moment"]
            folder = Path(place) / f"cancelled-{number}"
            if at_a_frame:
                leave(model, name, folder, rng.randrange(T), finish=rng.random() < 0.5)
            else:
                interrupt(model, name, folder, rng.uniform(0, 1.1) * whole[name][1])
            tally.cancels += 1
            said = check(folder, whole[name][0], tally, name)
            if not said and number % 10 < 2 and is_run(folder):
                tally.gone_on += 1
                said = go_on(model, name, folder, whole[name][0])
            if said:
                tally.wrong += 1
                sys.stderr.write(f"cancel {number}, {name}: {said}\n")
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(
        "| cancelled | sessions | frames compared | left no run | gone on with | lost or wrong |\n"
        "| --- | --: | --: | --: | --: | --: |\n"
    )
    for what, tally in tallies.items():
        numbers = (tally.cancels, tally.frames, tally.without_run, tally.gone_on, tally.wrong)
        sys.stdout.write(f"| {what} | {' | '.join(map(str, numbers))} |\n")
    return int(any(tally.wrong for tally in tallies.values()))


def small_model() -> Model:
    _, model, _ = make_twins("open")
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    return Model(model, checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())


def play(session: Session, name: str, frames: int | None = None) -> None:
    prompts, direction = SCENARIOS[name]
    for prompt in prompts:
        session.prompt(prompt)
    steps = session.propagate(direction)
    for _ in itertools.islice(steps, frames):
        pass
    steps.close()


def left_alone(model: Model, name: str, place: Path) -> tuple[Path, float]:
    folder = place / f"whole {name}"
    began = time.perf_counter()
    with Session(VIDEO, model=model, out=folder) as session:
        play(session, name)
    return folder, time.perf_counter() - began


def leave(model: Model, name: str, folder: Path, frames: int, *, finish: bool) -> None:
    session = Session(VIDEO, model=model, out=folder)
    play(session, name, frames)
    session.close(None if finish else KeyboardInterrupt())


def interrupt(model: Model, name: str, folder: Path, after: float) -> None:
    try:
        with _alarm(after), Session(VIDEO, model=model, out=folder) as session:
            play(session, name)
    except KeyboardInterrupt:
        pass


@contextmanager
def _alarm(after: float):  # type: ignore[no-untyped-def]
    signal.setitimer(signal.ITIMER_REAL, max(after, 1e-4))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def check(folder: Path, whole: Path, tally: Tally, name: str) -> str:
    """Say what is wrong with a cancelled session; an empty text if nothing is."""
    if not is_run(folder):
        tally.without_run += 1
        return ""
    try:
        run, expected = open_run(folder), open_run(whole)
    except InputError as error:
        return str(error)
    for row, obj_id in enumerate(run.object_ids.tolist()):
        other = expected.object_ids.tolist().index(obj_id)
        frames = np.flatnonzero(run.tracked[row])
        tally.frames += len(frames)
        pairs = {
            "mask": (run.masks_per_object[row], expected.masks_per_object[other]),
            "pointer": (run.object_pointers[row], expected.object_pointers[other]),
            "score": (run.object_scores[row], expected.object_scores[other]),
            **{key: (run.maps(key, "mean")[row], expected.maps(key, "mean")[other]) for key in run.map_keys},
        }
        for what, (ours, theirs) in pairs.items():
            for t in frames:
                if not np.array_equal(ours[t], theirs[t], equal_nan=True):
                    return f"the {what} of object {obj_id} on frame {t} differs"
    if SCENARIOS[name][1] == "forward" and len(run.features):
        keys = ["object_id", "position", "frame"]
        known = run.features[run.features["frame"].isin(np.flatnonzero(run.tracked[0]))]
        both = known.merge(expected.features, on=keys, suffixes=("", "_whole"))
        for column in ("short_term_l2", "long_term_l2", "short_term_ratio"):
            if not np.array_equal(both[column], both[f"{column}_whole"], equal_nan=True):
                return f"{column} differs"
    return ""


def go_on(model: Model, name: str, folder: Path, whole: Path) -> str:
    """Track to the end in the same folder; what is there then has to be all that there would have been."""
    prompts, direction = SCENARIOS[name]
    with Session(VIDEO, model=model, out=folder) as session:
        for prompt in prompts:
            if prompt.frame_idx not in session.prompts(prompt.obj_id):
                session.prompt(prompt)
        is_done = session.run.tracked.all() and len(session.run.object_ids) == len(prompts)
        # Where all is tracked, tracking would be done again, and then read what the way back has stored.
        for _ in () if is_done else session.propagate(direction):
            pass
    run, expected = open_run(folder), open_run(whole)
    rows = [expected.object_ids.tolist().index(obj_id) for obj_id in run.object_ids.tolist()]
    if not run.tracked.all():
        return "frames are missing after it was gone on with"
    for t in range(T):
        if not np.array_equal(run.masks_per_object[:, t], expected.masks_per_object[:][rows][:, t]):
            return f"frame {t} differs after it was gone on with"
    return ""


if __name__ == "__main__":
    sys.exit(main())
