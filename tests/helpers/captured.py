"""The reference for features and maps: tensors taken out of the stock predictor, and float64 NumPy on them.

Nothing here uses the package: methods of the stock instance are wrapped one by one.
"""

from __future__ import annotations

import numpy as np


class Captured:
    """Tensors of the stock predictor by (obj_id, frame_idx, position number); the latest wins."""

    def __init__(self, stock) -> None:
        self.tensors: dict[tuple[int, int, str], np.ndarray] = {}
        self._now: tuple[int, int] | None = None
        self._wrap_steps(stock)
        self._wrap(stock, "_prepare_memory_conditioned_features", lambda out, *_: self._put("2", out))
        self._wrap(stock, "_use_mask_as_output", lambda _, args, kwargs: self._put("2", args[0]))
        self._wrap(stock, "_forward_sam_heads", self._heads)
        self._wrap(stock, "_track_step", lambda out, *_: self._put("4", out[1][5]))
        self._wrap(stock, "_encode_new_memory", lambda out, *_: self._put("5", out[0]))
        self._wrap(stock.obj_ptr_proj, "forward", lambda out, *_: self._put("4r", out))
        self._wrap(stock.memory_encoder, "forward", lambda out, *_: self._put("5r", out["vision_features"]))
        self._wrap(stock.sam_mask_decoder.transformer, "forward", self._two_way)

    def _wrap_steps(self, stock) -> None:
        single, memory = stock._run_single_frame_inference, stock._run_memory_encoder

        def run_single(inference_state, output_dict, frame_idx, **kwargs):
            [obj_idx] = [i for i, d in inference_state["output_dict_per_obj"].items() if d is output_dict]
            self._now = (inference_state["obj_idx_to_id"][obj_idx], frame_idx)
            return single(inference_state=inference_state, output_dict=output_dict, frame_idx=frame_idx, **kwargs)

        def run_memory(inference_state, frame_idx, object_score_logits, **kwargs):
            [obj_idx] = [
                i
                for i, outputs in inference_state["temp_output_dict_per_obj"].items()
                for pending in outputs.values()
                if frame_idx in pending and pending[frame_idx]["object_score_logits"] is object_score_logits
            ]
            self._now = (inference_state["obj_idx_to_id"][obj_idx], frame_idx)
            return memory(
                inference_state=inference_state,
                frame_idx=frame_idx,
                object_score_logits=object_score_logits,
                **kwargs,
            )

        stock._run_single_frame_inference, stock._run_memory_encoder = run_single, run_memory

    def _wrap(self, owner, name, see) -> None:
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            out = original(*args, **kwargs)
            see(out, args, kwargs)
            return out

        setattr(owner, name, wrapped)

    def _heads(self, out, args, kwargs) -> None:
        self._put("1", kwargs["high_res_features"][0])

    def _two_way(self, out, args, kwargs) -> None:
        image_side = out[1].detach().numpy()  # (1, h*w, C)
        side = round(image_side.shape[1] ** 0.5)
        self._put_array("3", image_side[0].T.reshape(-1, side, side))

    def _put(self, number, tensor) -> None:
        self._put_array(number, tensor.detach().numpy()[0])

    def _put_array(self, number, array) -> None:
        self.tensors[(*self._now, number)] = array.astype(np.float64)


def reference_features(embeddings: dict[int, np.ndarray], is_reference, frames, *, power=1.0, epsilon=1e-6):
    """The features in float64: ``{frame: (short, long, ratio)}`` for one object and position.

    `power` 1 divides by the variance, 0.5 by the standard deviation.
    """
    short: dict[int, float] = {}
    result = {}
    for i in frames:
        refs = [j for j in frames if j < i and is_reference[j]][-5:]
        long = np.nan
        short[i] = np.linalg.norm((embeddings[i] - embeddings[refs[-1]]).ravel()) if refs else np.nan
        if len(refs) >= 2:
            stack = np.stack([embeddings[j] for j in refs])
            sigma = stack.var(axis=0) ** power + epsilon
            long = np.linalg.norm(((embeddings[i] - stack.mean(axis=0)) / sigma).ravel())
        before = short[refs[-1]] if refs else np.nan
        ratio = short[i] / before if before > 0 else np.nan
        result[i] = (short[i], long, ratio)
    return result
