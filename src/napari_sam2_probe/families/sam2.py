"""SAM 2 with taps: the same computation, with named tensors shown on the way."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from sam2.modeling.sam2_base import SAM2Base

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.attention import AttentionDetail, AttentionRecord
from napari_sam2_probe.tracking.bank import BankRule, Reading
from napari_sam2_probe.tracking.frames import IMAGENET, Normalisation
from napari_sam2_probe.tracking.intervening import Intervention, donors_by_name
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.looking import AttentionPlaces
from napari_sam2_probe.tracking.memory_tokens import join_memory
from napari_sam2_probe.tracking.memory_view import MemorySource, StoredOutputs
from napari_sam2_probe.tracking.observer import CANDIDATE_MASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from napari_sam2_probe.tracking.intervening import Donor, Donors
    from napari_sam2_probe.tracking.interventions import Edit
    from napari_sam2_probe.tracking.observer import Tap

    Receiver = Callable[[str, Tensor], None]
    Change = Callable[[str, Tensor], Tensor]


class ObservedSAM2(SAM2Base):  # type: ignore[misc]
    """``SAM2Base`` whose inner tensors can be seen while it runs.

    Nothing is recomputed and nothing is changed: a tap is called with tensors that arise anyway. Positions and
    where they arise: ``image_embedding``, the stride-4 feature after ``conv_s0``; ``memory_attention``,
    what enters the SAM heads; ``prompt_attention``, the image side of the decoder's two-way transformer;
    ``object_pointer`` and ``object_pointer_raw``, after and before no-object mixing; ``memory_features`` and
    ``memory_features_raw``, after and before the no-object embedding is added;
    ``memory_features_unblanked``, on request, the memory of the mask as it was before SAM 2 blanked it (not on
    prompted frames where it was). Beside them ``candidate_masks``, the masks
    that SAM 2 chose among, as they were before it blanked them; nothing where there is one only.

    Attributes
    ----------
    normalisation
        Mean and standard deviation of the channels that frames are prepared with.
    memory_dtype
        The type in which memories are stored.
    further_positions
        Keys of optional positions that this model has.
    token_positions
        Keys of positions at which it has tokens (B, N, C) instead of a map.
    architecture
        The class that computes, where a family has several.
    intervention
        What is changed of what it reads, stores and computes.
    """

    normalisation: Normalisation = IMAGENET
    memory_dtype: torch.dtype = torch.bfloat16
    further_positions: frozenset[str] = frozenset()
    token_positions: frozenset[str] = frozenset()
    architecture: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.intervention: Intervention | None = None
        self._tap: Receiver | None = None
        self._change: Change | None = None
        self._heads_input: Tensor | None = None
        self._attention: AttentionRecord | None = None
        self._unblanked = False
        self._decoder_output: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self._raw_memory: Tensor | None = None

    @contextmanager
    def tapped(
        self, tap: Receiver | None, *, unblanked: bool = False, taps: Mapping[str, Tap] | None = None
    ) -> Iterator[None]:
        """Call ``tap(key, tensor)`` for every position while the block runs.

        The hooks that a tap needs exist only inside the block.

        Parameters
        ----------
        tap
            The receiver; None observes nothing and costs nothing.
        unblanked
            Whether to compute ``memory_features_unblanked`` too, at the cost of a second memory encoding on
            frames where the object is believed gone. It is never fed back.
        taps
            Further places by key, whose tensors are shown too.

        Raises
        ------
        InputError
            If the model has no module that a tap names.
        """
        if tap is None:
            yield
            return
        further = [(key, place, self._module(key, place)) for key, place in (taps or {}).items()]
        handles = [
            self.sam_mask_decoder.transformer.register_forward_hook(self._show_prompt_attention),
            self.obj_ptr_proj.register_forward_hook(self._show_raw_pointer),
            self.memory_encoder.register_forward_hook(self._show_raw_memory),
        ]
        for key, place, module in further:
            handles.append(module.register_forward_hook(partial(self._show_picked, key, place)))
        self._tap, self._unblanked = tap, unblanked
        try:
            yield
        finally:
            self._tap, self._unblanked = None, False
            self._decoder_output = self._raw_memory = None
            for handle in handles:
                handle.remove()

    @contextmanager
    def unobserved(self) -> Iterator[None]:
        """Show nobody what arises while the block runs."""
        tap, self._tap = self._tap, None
        try:
            yield
        finally:
            self._tap = tap

    @contextmanager
    def by_another(self) -> Iterator[None]:
        """Let another session use the model in the middle of a step, as if nobody did."""
        names = ("_tap", "_change", "_unblanked", "_decoder_output", "_heads_input", "_raw_memory")
        before = {name: getattr(self, name) for name in names}
        self._tap, self._change, self._unblanked = None, None, False
        if self._attention is not None:
            self._attention.paused = True
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)
            if self._attention is not None:
                self._attention.paused = False

    @contextmanager
    def attention_seen(self, detail: AttentionDetail) -> Iterator[AttentionRecord | None]:
        """Look at memory attention while the block runs, which holds one step, if somebody is shown anything."""
        if detail == "none" or self._tap is None:
            yield None
            return
        self._attention = AttentionRecord(self.attention_places().memory)
        try:
            with self._attention.looking():
                yield self._attention
        finally:
            self._attention = None

    def attention_places(self) -> AttentionPlaces:
        """Return the attention layers that look at memories and at the image, and what the decoder's tokens are."""
        decoder = self.sam_mask_decoder
        two_way = decoder.transformer
        tokens = ["object score"] if decoder.pred_obj_scores else []
        tokens += ["IoU", *(f"mask {k}" for k in range(decoder.num_mask_tokens))]
        return AttentionPlaces(
            memory=tuple(layer.cross_attn_image for layer in self.memory_attention.layers),
            decoder=(*(layer.cross_attn_token_to_image for layer in two_way.layers), two_way.final_attn_token_to_image),
            decoder_names=(*(str(k + 1) for k in range(len(two_way.layers))), "final"),
            tokens=tuple(tokens),
        )

    def show(self, key: str, tensor: Tensor | None) -> None:
        """Show a tensor that was made outside, if somebody looks and there is one."""
        self._show(key, tensor)

    @contextmanager
    def changed(self, change: Change | None) -> Iterator[None]:
        """Replace the tensor of every position but the first by ``change(key, tensor)`` while the block runs.

        What is shown to a tap is what the model goes on with.
        """
        if change is None:
            yield
            return
        # Before the hook that shows it.
        handle = self.sam_mask_decoder.transformer.register_forward_hook(self._change_prompt_attention, prepend=True)
        self._change = change
        try:
            yield
        finally:
            self._change = None
            handle.remove()

    @contextmanager
    def intervene(
        self, edits: Sequence[Edit | Mapping[str, Any]], donors: Donors | Mapping[str, Donor] | None = None
    ) -> Iterator[None]:
        """Change what SAM 2 reads, stores or computes while the block runs; see `interventions`.

        Blocks inside one another add up.

        Parameters
        ----------
        edits
            In the order in which they act.
        donors
            The runs that edits take from, by the names they call them. Where a run is recorded these names may also
            be the paths of runs.

        Raises
        ------
        InputError
            If an edit makes no sense.
        """
        before = self.intervention
        given = donors if donors is None or callable(donors) else donors_by_name(donors)
        self.intervention = (before or Intervention()).then(parse_edits(edits), given)
        try:
            yield
        finally:
            self.intervention = before

    @contextmanager
    def one_object_each(self) -> Iterator[None]:
        """Take the batch axis as videos with one object each while the block runs, not as objects of one video.

        Masks of one video may be kept from overlapping before they enter memory; those of different videos have
        nothing to do with each other.
        """
        before: Any = self.__dict__["non_overlap_masks_for_mem_enc"]
        self.non_overlap_masks_for_mem_enc = False
        try:
            yield
        finally:
            self.non_overlap_masks_for_mem_enc = before

    def _prepare_memory_conditioned_features(
        self,
        frame_idx: int,
        is_init_cond_frame: bool,
        current_vision_feats: list[Tensor],
        current_vision_pos_embeds: list[Tensor],
        feat_sizes: list[tuple[int, int]],
        output_dict: MemorySource | Mapping[str, Any],
        num_frames: int,
        track_in_reverse: bool = False,
    ) -> Tensor:
        inputs = (current_vision_feats, current_vision_pos_embeds, feat_sizes, output_dict, num_frames)
        stock = super()._prepare_memory_conditioned_features
        if is_init_cond_frame or self.num_maskmem == 0 or self.training:
            plain: Tensor = stock(frame_idx, is_init_cond_frame, *inputs, track_in_reverse)
            return plain
        source = output_dict if isinstance(output_dict, MemorySource) else StoredOutputs(output_dict)
        entries = source.read(BankRule.of(self), Reading(frame_idx, num_frames, track_in_reverse))
        if not entries:
            # A frame that reads nothing is to SAM 2 what a first prompted frame is.
            alone: Tensor = stock(frame_idx, True, *inputs, track_in_reverse)
            return alone
        joined = join_memory(self, entries, num_frames)
        tokens = self.memory_attention(
            curr=current_vision_feats,
            curr_pos=current_vision_pos_embeds,
            memory=joined.tokens,
            memory_pos=joined.positions,
            num_obj_ptr_tokens=joined.num_pointer_tokens,
        )
        height, width = feat_sizes[-1]
        features: Tensor = tokens.permute(1, 2, 0).view(tokens.shape[1], tokens.shape[2], height, width)
        return features

    def _forward_sam_heads(self, *args: Any, **kwargs: Any) -> Any:
        # The heads hand on neither the tokens of the other candidates nor the unblanked masks.
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._decoder_output = output

        kwargs["backbone_features"] = self._heads_input = self._goes_on("memory_attention", kwargs["backbone_features"])
        handle = self.sam_mask_decoder.register_forward_hook(keep)
        try:
            return super()._forward_sam_heads(*args, **kwargs)
        finally:
            handle.remove()

    def _track_step(self, *args: Any, **kwargs: Any) -> Any:
        self._forget_step()
        current_out, sam_outputs, high_res_features, pix_feat = super()._track_step(*args, **kwargs)
        low_res_multimasks, _, ious, low_res_masks, high_res_masks, obj_ptr, score = sam_outputs
        if self._change is not None:
            obj_ptr = self._change("object_pointer", obj_ptr)
            sam_outputs = (low_res_multimasks, sam_outputs[1], ious, low_res_masks, high_res_masks, obj_ptr, score)
        if self._heads_input is not None:
            pix_feat = self._heads_input
        current_out["ious"] = ious
        current_out["low_res_multimasks"] = low_res_multimasks
        current_out["sam_tokens"] = None if self._decoder_output is None else self._decoder_output[2]
        if self._tap is not None:
            if high_res_features is not None:
                self._tap("image_embedding", high_res_features[0])
            self._tap("memory_attention", pix_feat)
            self._tap("object_pointer", obj_ptr)
            if low_res_multimasks.shape[1] > 1 and self._decoder_output is not None:
                # Before they are blanked where the object is believed gone, which makes all of them alike.
                self._tap(CANDIDATE_MASKS, self._decoder_output[0])
        return current_out, sam_outputs, high_res_features, pix_feat

    def _encode_new_memory(
        self,
        current_vision_feats: list[Tensor],
        feat_sizes: list[tuple[int, int]],
        pred_masks_high_res: Tensor,
        object_score_logits: Tensor,
        is_mask_from_pts: bool,
    ) -> Any:
        masks = self._masks_for_memory(pred_masks_high_res)
        features, pos_enc = super()._encode_new_memory(
            current_vision_feats, feat_sizes, masks, object_score_logits, is_mask_from_pts
        )
        features, pos_enc = self.to_store(features, pos_enc)
        features = self._goes_on("memory_features", features)
        if self._tap is not None:
            self._tap("memory_features", features)
            if self._unblanked:
                self._show_unblanked_memory(current_vision_feats, feat_sizes, object_score_logits, is_mask_from_pts)
        return features, pos_enc

    def _masks_for_memory(self, masks: Tensor) -> Tensor:
        """Return masks (B, 1, H, W) of the input's size at the size that the memory encoder takes."""
        return masks

    def to_store(self, features: Tensor, pos_enc: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return what is stored of a memory map (B, C, h, w) and its encodings: SAM 2 stores the map itself.

        A family whose memories are others overrides this.
        """
        return features, pos_enc

    def pointer_of_token(self, token: Tensor, object_score_logits: Tensor) -> Tensor:
        """Return the pointer (B, C) that a mask token (B, C) would have given, with the no-object gate applied.

        Used when the user prefers another candidate mask than the one with the highest predicted IoU.
        """
        pointer: Tensor = self.obj_ptr_proj(token)
        if self.pred_obj_scores:
            appearing = object_score_logits.sigmoid() if self.soft_no_obj_ptr else (object_score_logits > 0).float()
            if self.fixed_no_obj_ptr:
                pointer = appearing * pointer
            pointer = pointer + (1 - appearing) * self.no_obj_ptr
        return pointer

    def _show_prompt_attention(self, _module: nn.Module, _inputs: Any, output: tuple[Tensor, Tensor]) -> None:
        tokens = output[1].flatten(0, -3)  # (B, h*w, C), where others have (B, 1, h*w, C)
        size = self.sam_image_embedding_size
        self._show("prompt_attention", tokens.transpose(1, 2).reshape(len(tokens), -1, size, size))

    def _show_raw_pointer(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self._show("object_pointer_raw", output)

    def _show_raw_memory(self, _module: nn.Module, _inputs: Any, output: dict[str, Tensor]) -> None:
        # SAM 2 adds the no-object embedding to this very tensor afterwards.
        self._raw_memory = output["vision_features"].clone()
        self._show("memory_features_raw", self._raw_memory)

    def _show_unblanked_memory(
        self,
        current_vision_feats: list[Tensor],
        feat_sizes: list[tuple[int, int]],
        object_score_logits: Tensor,
        is_prompted: bool,
    ) -> None:
        if bool((object_score_logits > 0).all()):
            # Nothing was blanked, so nothing new would come out.
            self._show("memory_features_unblanked", self._raw_memory)
            return
        if is_prompted or self._decoder_output is None:
            # The memory of a prompted frame is encoded later, when the mask before blanking is gone.
            return
        masks, ious, _, _ = self._decoder_output
        best = torch.argmax(ious, dim=-1)
        chosen = masks[torch.arange(len(masks), device=masks.device), best].unsqueeze(1).float()
        high_res = torch.nn.functional.interpolate(
            chosen, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False
        )
        high_res = self._masks_for_memory(high_res)
        with self.unobserved():
            present = torch.ones_like(object_score_logits)
            features, _ = super()._encode_new_memory(current_vision_feats, feat_sizes, high_res, present, False)
        self._show("memory_features_unblanked", features)

    def _module(self, key: str, place: Tap) -> nn.Module:
        try:
            module: nn.Module = self.get_submodule(place.module)
            return module
        except AttributeError as error:
            raise InputError(
                f"Position {key!r} is taken at {place.module!r}, a module that this model doesn't have: name one that "
                "it has."
            ) from error

    def _as_of_sam2(self, module: str, output: Any) -> Any:
        """Return the output of a module of this family as ``sam2``'s own module would have it."""
        return output

    def _show_picked(self, key: str, place: Tap, _module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = place.pick(self._as_of_sam2(place.module, output)) if self._tap is not None else None
        # SAM 2 edits some of its outputs in place, and what is shown may be kept.
        self._show(key, None if tensor is None else tensor.clone())

    def _change_prompt_attention(
        self, _module: nn.Module, _inputs: Any, output: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        queries, tokens = output
        size = self.sam_image_embedding_size
        flat = tokens.flatten(0, -3)
        maps = flat.transpose(1, 2).reshape(len(flat), -1, size, size)
        return queries, self._goes_on("prompt_attention", maps).flatten(2).transpose(1, 2).reshape(tokens.shape)

    def _forget_step(self) -> None:
        self._decoder_output = self._heads_input = None

    def _goes_on(self, key: str, tensor: Tensor) -> Tensor:
        """Return what the model goes on with at a position."""
        return tensor if self._change is None else self._change(key, tensor)

    def _show(self, key: str, tensor: Tensor | None) -> None:
        if self._tap is not None and tensor is not None:
            self._tap(key, tensor)
