"""How often blame finds a cause that was planted: one memory of a bank replaced by that of another sample video.

    python benchmarks/planted_causes.py [--cases 100] [--seed 0]

A case counts where the exchange changes the mask by more than 0.1 (1 - IoU). Then every entry of the bank is dropped in
turn; the planted one is found if without it the mask changes most. Of each case that is missed it is printed what the
entry that was blamed instead does, also in the bank in which nothing was planted.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import binomtest

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.tracking.donors import SessionDonor
from napari_sam2_probe.tracking.intervening import Intervention, donors_by_name
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import prompts_from_labels
from napari_sam2_probe.tracking.repeating import planned_steps
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.video.masks import read_mask
from napari_sam2_probe.video.open import open_video

LAST = 10
MOST_DRAWS = 6000


def main() -> None:
    """Draw cases until there are enough, and print how many causes were found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    donors = _donors()
    rng, seen = np.random.default_rng(arguments.seed), set()
    cases = found = 0
    while cases < arguments.cases and len(seen) < MOST_DRAWS:
        video, other = (str(name) for name in rng.choice(sorted(donors), 2, replace=False))
        frame, session = int(rng.integers(1, LAST + 1)), donors[video].session
        memory = int(rng.choice([entry.frame for entry in session.bank(frame, session.obj_ids[0]).memories]))
        if (video, other, frame, memory) in seen:
            continue
        seen.add((video, other, frame, memory))
        outcome = _is_found(session, other, frame, memory)
        if outcome is not None:
            cases, found = cases + 1, found + outcome
            print(f"{cases} cases of {len(seen)} draws, {found} found", flush=True)
    low, high = binomtest(found, cases).proportion_ci(0.95)
    print(f"found {found} of {cases}: {found / cases:.2f} [{low:.2f}, {high:.2f}] (Clopper and Pearson, 95 %)")


def _donors() -> dict[str, SessionDonor]:
    loaded, root = load_model(ModelChoice("sample", None, "cpu")), sample_data_folder()
    made: dict[str, SessionDonor] = {}
    for name in sorted(path.name for path in (root / "Annotations" / "480p").iterdir()):
        prompt = prompts_from_labels(0, read_mask(root / "Annotations" / "480p" / name / "00000.png"))[0]
        video = open_video(root / name)
        options = SessionOptions.for_model(
            loaded, intervention=Intervention(donors=donors_by_name(made)), feature_budget=2**31
        )
        steps = planned_steps([prompt], [("forward", range(min(LAST + 1, video.num_frames)))])
        made[name] = SessionDonor(name, loaded.model, video, options, steps)
        made[name].finish()
    return made


def _is_found(session, other: str, frame: int, memory: int) -> bool | None:
    """Return whether the planted memory is blamed first; None where it hardly changes the mask."""
    obj_id = session.obj_ids[0]
    swap = {"edit": "swap", "target": "memory", "entries": {"frames": [memory]}, "from": other}
    planted = session.repeat(frame, obj_id, parse_edits([swap]))
    if region_similarity(session.repeat(frame, obj_id).mask, planted.mask) >= 0.9:
        return None

    def effect(entry) -> float:
        drop = {"edit": "drop", "target": entry.kind, "entries": {"frames": [entry.frame]}}
        without = session.repeat(frame, obj_id, parse_edits([swap, drop]))
        return 1 - region_similarity(planted.mask, without.mask)

    effects = {(entry.kind, entry.frame): effect(entry) for entry in session.bank(frame, obj_id).entries}
    first = max(effects, key=effects.__getitem__)
    if first != ("memory", memory):
        kind, of = first
        drop = parse_edits([{"edit": "drop", "target": kind, "entries": {"frames": [of]}}])
        plain = session.repeat(frame, obj_id)
        alone = 1 - region_similarity(plain.mask, session.repeat(frame, obj_id, drop).mask)
        print(
            f"missed: frame {frame}, memory {memory} of {other}: effect {effects['memory', memory]:.4f}; blamed {kind} "
            f"{of}: {effects[first]:.4f}, and {alone:.4f} where nothing is planted; the exchange changed the mask by "
            f"{1 - region_similarity(plain.mask, planted.mask):.4f}",
            flush=True,
        )
    return first == ("memory", memory)


if __name__ == "__main__":
    main()
