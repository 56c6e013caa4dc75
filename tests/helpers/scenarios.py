"""The same steps for the stock predictor and for a session, so that their numbers can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from napari_sam2_probe.tracking.prompts import Prompt


@dataclass
class Outcome:
    """Everything a run gave, by (propagation, frame, object)."""

    mask_logits: list[tuple[int, np.ndarray]] = field(default_factory=list)
    pointers: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    scores: dict[tuple[int, int], float] = field(default_factory=dict)
    memories: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)


def write_video(folder, frames: np.ndarray) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{i:05d}.jpg", quality=95)
    return str(folder)


def moving_video(num_frames: int = 8, height: int = 90, width: int = 160, seed: int = 0) -> np.ndarray:
    """A textured square that moves over a textured ground (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 255, (height // 10, width // 10, 3)).astype(np.uint8)
    ground = np.asarray(Image.fromarray(ground).resize((width, height)))
    frames = np.stack([ground] * num_frames)
    for t in range(num_frames):
        x, y = 20 + 5 * t, 30 + 2 * t
        frames[t, y : y + 25, x : x + 30] = np.asarray([200, 40 + 5 * t, 30], np.uint8)
    return frames


def square_mask(t: int, height: int = 90, width: int = 160) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    x, y = 20 + 5 * t, 30 + 2 * t
    mask[y : y + 25, x : x + 30] = True
    return mask


Step = tuple[str, dict[str, Any]]

SCENARIOS: dict[str, list[Step]] = {
    "mask": [("mask", {"frame": 0, "obj": 1}), ("track", {})],
    "box": [("points", {"frame": 0, "obj": 1, "box": [18, 28, 52, 58]}), ("track", {})],
    "one click": [("points", {"frame": 0, "obj": 1, "points": [[35, 42]], "labels": [1]}), ("track", {})],
    "clicks added one by one": [
        ("points", {"frame": 0, "obj": 1, "points": [[35, 42]], "labels": [1]}),
        ("points", {"frame": 0, "obj": 1, "points": [[35, 42], [100, 20]], "labels": [1, 0]}),
        ("track", {}),
    ],
    "two objects": [
        ("mask", {"frame": 0, "obj": 3}),
        ("points", {"frame": 0, "obj": 7, "points": [[120, 20]], "labels": [1]}),
        ("track", {}),
    ],
    "object added after tracking": [
        ("mask", {"frame": 0, "obj": 1}),
        ("track", {}),
        ("points", {"frame": 2, "obj": 2, "box": [90, 10, 140, 60]}),
        ("track", {"start": 2}),
    ],
    "correction by clicks": [
        ("mask", {"frame": 0, "obj": 1}),
        ("track", {}),
        ("points", {"frame": 4, "obj": 1, "points": [[60, 50], [10, 10]], "labels": [1, 0]}),
        ("track", {}),
    ],
    "correction by mask, from there on": [
        ("mask", {"frame": 0, "obj": 1}),
        ("track", {}),
        ("mask", {"frame": 3, "obj": 1}),
        ("track", {"start": 3}),
    ],
    "both directions": [
        ("points", {"frame": 4, "obj": 1, "points": [[55, 50]], "labels": [1]}),
        ("track", {}),
        ("track", {"reverse": True, "start": 4}),
    ],
    "correction while going back": [
        ("mask", {"frame": 5, "obj": 1}),
        ("track", {"reverse": True, "start": 5}),
        ("points", {"frame": 2, "obj": 1, "points": [[40, 45]], "labels": [1]}),
        ("track", {"reverse": True, "start": 5}),
        ("track", {"start": 2}),
    ],
    "prompt taken back": [
        ("mask", {"frame": 0, "obj": 1}),
        ("mask", {"frame": 3, "obj": 1}),
        ("track", {}),
        ("clear", {"frame": 3, "obj": 1}),
        ("track", {}),
    ],
    "object removed": [
        ("mask", {"frame": 0, "obj": 1}),
        ("points", {"frame": 0, "obj": 2, "box": [90, 10, 140, 60]}),
        ("track", {}),
        ("remove", {"obj": 1}),
        ("track", {}),
    ],
}


def run_stock(predictor, folder: str, steps: list[Step]) -> Outcome:
    state = predictor.init_state(folder)
    outcome = Outcome()
    for what, s in steps:
        if what == "mask":
            _, _, masks = predictor.add_new_mask(state, s["frame"], s["obj"], square_mask(s["frame"]))
            outcome.mask_logits.append((s["frame"], masks.numpy()))
        elif what == "points":
            _, _, masks = predictor.add_new_points_or_box(
                state, s["frame"], s["obj"], s.get("points"), s.get("labels"), box=s.get("box")
            )
            outcome.mask_logits.append((s["frame"], masks.numpy()))
        elif what == "clear":
            predictor.clear_all_prompts_in_frame(state, s["frame"], s["obj"])
        elif what == "remove":
            predictor.remove_object(state, s["obj"])
        else:
            arguments = {"start_frame_idx": s.get("start"), "reverse": s.get("reverse", False)}
            for frame_idx, _, masks in predictor.propagate_in_video(state, **arguments):
                outcome.mask_logits.append((frame_idx, masks.numpy()))
    for obj_idx, outputs in state["output_dict_per_obj"].items():
        obj_id = state["obj_idx_to_id"][obj_idx]
        for t, out in [*outputs["non_cond_frame_outputs"].items(), *outputs["cond_frame_outputs"].items()]:
            _note(outcome, obj_id, t, out["obj_ptr"], out["object_score_logits"], out["maskmem_features"])
    return outcome


def run_session(session, steps: list[Step]) -> Outcome:
    outcome = Outcome()
    for what, s in steps:
        if what == "mask":
            result = session.add_prompt(Prompt.from_mask(s["frame"], s["obj"], square_mask(s["frame"])))
            outcome.mask_logits.append((s["frame"], result.mask_logits.numpy()))
        elif what == "points":
            prompt = Prompt.from_points(
                s["frame"], s["obj"], s.get("points", ()), s.get("labels", ()), box=s.get("box")
            )
            outcome.mask_logits.append((s["frame"], session.add_prompt(prompt).mask_logits.numpy()))
        elif what == "clear":
            session.clear_prompt(s["frame"], s["obj"])
        elif what == "remove":
            session.remove_object(s["obj"])
        else:
            direction = "backward" if s.get("reverse") else "forward"
            for result in session.propagate(direction, start=s.get("start")):
                outcome.mask_logits.append((result.frame_idx, result.mask_logits.numpy()))
    for obj in session._objects.values():
        for outputs in (obj.tracked, obj.conditioning):
            for t in outputs:
                out = outputs[t]
                _note(outcome, obj.obj_id, t, out.obj_ptr, out.object_score_logits, out.maskmem_features)
    return outcome


def _note(outcome, obj_id, t, pointer, score, memory) -> None:
    outcome.pointers[obj_id, t] = pointer.numpy()
    outcome.scores[obj_id, t] = float(score)
    outcome.memories[obj_id, t] = memory.float().numpy()


def assert_equal(ours: Outcome, stock: Outcome) -> None:
    assert [t for t, _ in ours.mask_logits] == [t for t, _ in stock.mask_logits]
    for (t, a), (_, b) in zip(ours.mask_logits, stock.mask_logits, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"mask logits, frame {t}")
    for name in ("scores", "pointers", "memories"):
        a, b = getattr(ours, name), getattr(stock, name)
        assert a.keys() == b.keys(), name
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name}, object and frame {key}")
