"""SAM 3's tracker as ``transformers`` computes it: SAM 2's with another image encoder, stride and normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import interpolate

from napari_sam2_probe.families.port import PortedSAM2

if TYPE_CHECKING:
    from torch import Tensor


class PortedSam3Tracker(PortedSAM2):
    """A ``Sam3TrackerVideoModel`` with the taps, changes and banks of `ObservedSAM2`.

    Its input is no multiple of 16, so masks go in and out of it at sizes of their own: 288 and 1152 for an input of
    1008 pixels.
    """

    normalisation = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def _use_mask_as_output(
        self, backbone_features: Tensor, high_res_features: list[Tensor], mask_inputs: Tensor
    ) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = super()._use_mask_as_output(backbone_features, high_res_features, mask_inputs)
        _, high_res_masks, ious, _, _, obj_ptr, score = outputs
        low_res_masks = _resized(high_res_masks, self.sam_prompt_encoder.mask_input_size)
        return low_res_masks, high_res_masks, ious, low_res_masks, high_res_masks, obj_ptr, score

    def _masks_for_memory(self, masks: Tensor) -> Tensor:
        height, width = self.sam_prompt_encoder.mask_input_size
        return _resized(masks, (4 * height, 4 * width))


def _resized(masks: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(masks.float(), size=size, align_corners=False, mode="bilinear", antialias=True)
