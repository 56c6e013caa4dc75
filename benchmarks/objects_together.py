"""What tracking the objects of one video in one batch could save at most, against one by one as it is done now.

A tracked frame of N objects is timed both ways on the same random tensors, with a full bank: memory attention, mask
decoder and memory encoder, of which every object has its own. The image encoder is left out: objects share its output
already. Nothing else that a session does is counted, so a session gains less.

    python benchmarks/objects_together.py --checkpoint sample --objects 2 4 8
    python benchmarks/objects_together.py --checkpoint sam2.1_hiera_tiny --device cuda --dtype bfloat16
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import torch

from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.models.device import computing, describe_device


def main() -> None:
    """Time it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="sample")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--objects", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="cannot import name '_C'")
    loaded = load_model(ModelChoice(arguments.checkpoint, device=arguments.device, dtype=arguments.dtype))
    print(f"{arguments.checkpoint} on {describe_device(loaded.device)}, {arguments.dtype}")
    print(f"{'objects':>7} {'one by one':>12} {'together':>12} {'ratio':>7}   largest difference of logits")
    with computing(loaded.device, loaded.dtype):
        for count in arguments.objects:
            steps = [_Step(loaded.model, seed) for seed in range(count)]
            batch = _Step.joined(steps)
            apart, together, ratios = [], [], []
            for _ in range(arguments.rounds + 1):
                one, masks = _timed(lambda s=steps: torch.cat([step.run() for step in s]), loaded.device)
                other, batch_masks = _timed(batch.run, loaded.device)
                apart.append(one)
                together.append(other)
                ratios.append(other / one)
            # The first round warms up.
            middles = [statistics.median(values[1:]) for values in (apart, together, ratios)]
            off = float((masks - batch_masks).abs().max())
            print(f"{count:>7} {1e3 * middles[0]:>9.1f} ms {1e3 * middles[1]:>9.1f} ms {middles[2]:>7.2f}   {off:.2g}")


class _Step:
    """One tracked frame of one object or several, from random image features and a full bank."""

    def __init__(self, model, seed: int) -> None:
        self._model = model
        generator = torch.Generator().manual_seed(seed)
        side, channels = model.sam_image_embedding_size, model.hidden_dim

        def random(*shape: int):
            return torch.randn(shape, generator=generator).to(model.device)

        width = model.sam_mask_decoder.transformer.embedding_dim
        # Of the frame, and so the same for all objects.
        shared = torch.Generator().manual_seed(1000)
        sizes = [(side * 4, width // 8), (side * 2, width // 4), (side, channels)]
        self._features = [torch.randn(s * s, 1, c, generator=shared).to(model.device) for s, c in sizes]
        pointers = model.max_obj_ptrs_in_encoder * (channels // model.mem_dim)
        self._memory = random(model.num_maskmem * side * side + pointers, 1, model.mem_dim)
        self._pointers = pointers
        self._positions = random(*self._memory.shape)

    @classmethod
    def joined(cls, steps: list[_Step]) -> _Step:
        """Return the steps of several objects as one."""
        one = cls(steps[0]._model, 0)
        one._features = [f.expand(-1, len(steps), -1) for f in steps[0]._features]
        one._memory = torch.cat([step._memory for step in steps], dim=1)
        one._positions = torch.cat([step._positions for step in steps], dim=1)
        return one

    def run(self):
        """Return the mask logits (N, 1, h, w), after the memory has been encoded."""
        model = self._model
        side = model.sam_image_embedding_size
        count = self._memory.shape[1]
        tokens = model.memory_attention(
            curr=self._features[-1:],
            curr_pos=[torch.zeros_like(self._features[-1])],
            memory=self._memory,
            memory_pos=self._positions,
            num_obj_ptr_tokens=self._pointers,
        )
        maps = tokens.permute(1, 2, 0).reshape(count, -1, side, side)
        fine = [
            f.permute(1, 2, 0).reshape(count, -1, side * k, side * k)
            for f, k in zip(self._features[:-1], (4, 2), strict=True)
        ]
        *_, low, high, _, score = model._forward_sam_heads(backbone_features=maps, high_res_features=fine)
        model._encode_new_memory(
            current_vision_feats=self._features,
            feat_sizes=[(side * 4,) * 2, (side * 2,) * 2, (side,) * 2],
            pred_masks_high_res=high,
            object_score_logits=score,
            is_mask_from_pts=False,
        )
        return low


def _timed(call, device):
    _wait(device)
    started = time.perf_counter()
    result = call()
    _wait(device)
    return time.perf_counter() - started, result


def _wait(device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
