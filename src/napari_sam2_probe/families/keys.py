"""Names of SAM 2's weights in its own format and in that of ``transformers``, in both directions.

The two formats hold the same numbers: only names differ, two tables of embeddings are joined (the four of points), and
one matrix (the random positional encoding) is held twice. No tensor is computed with, so a conversion there and back is
exact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

    StateDict = dict[str, torch.Tensor]

_POINTS = "sam_prompt_encoder.point_embeddings."
_PORT_POINTS = "prompt_encoder.point_embed.weight"
_GAUSSIAN = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_PORT_GAUSSIANS = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)

# Whole names, which begin a name or are all of it.
_STARTS = (
    ("maskmem_tpos_enc", "memory_temporal_positional_encoding"),
    ("no_mem_embed", "no_memory_embedding"),
    ("no_mem_pos_enc", "no_memory_positional_encoding"),
    ("no_obj_ptr", "no_object_pointer"),
    ("no_obj_embed_spatial", "occlusion_spatial_embedding_parameter"),
    ("obj_ptr_tpos_proj.", "temporal_positional_encoding_projection_layer."),
    ("obj_ptr_proj.", "object_pointer_proj."),
    ("image_encoder.trunk.patch_embed.proj.", "vision_encoder.backbone.patch_embed.projection."),
    ("image_encoder.trunk.", "vision_encoder.backbone."),
    ("image_encoder.neck.", "vision_encoder.neck."),
    ("sam_prompt_encoder.mask_downscaling.0.", "prompt_encoder.mask_embed.conv1."),
    ("sam_prompt_encoder.mask_downscaling.1.", "prompt_encoder.mask_embed.layer_norm1."),
    ("sam_prompt_encoder.mask_downscaling.3.", "prompt_encoder.mask_embed.conv2."),
    ("sam_prompt_encoder.mask_downscaling.4.", "prompt_encoder.mask_embed.layer_norm2."),
    ("sam_prompt_encoder.mask_downscaling.6.", "prompt_encoder.mask_embed.conv3."),
    ("sam_prompt_encoder.", "prompt_encoder."),
    ("sam_mask_decoder.transformer.norm_final_attn.", "mask_decoder.transformer.layer_norm_final_attn."),
    ("sam_mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."),
    ("sam_mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."),
    ("sam_mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."),
    ("sam_mask_decoder.", "mask_decoder."),
    ("memory_attention.norm.", "memory_attention.layer_norm."),
    ("memory_encoder.pix_feat_proj.", "memory_encoder.feature_projection."),
    ("memory_encoder.out_proj.", "memory_encoder.projection."),
    ("memory_encoder.fuser.", "memory_encoder.memory_fuser."),
    ("memory_encoder.", "memory_encoder."),
)
# Parts of names, within what a pattern tells.
_PARTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("image_encoder.trunk.blocks.", ((".norm", ".layer_norm"),)),
    ("sam_mask_decoder.transformer.", ((".norm", ".layer_norm"), (".out_proj.", ".o_proj."))),
    ("memory_attention.layers.", ((".norm", ".layer_norm"), (".out_proj.", ".o_proj."))),
    (
        "memory_encoder.fuser.layers.",
        (
            (".gamma", ".scale"),
            (".dwconv.", ".depthwise_conv."),
            (".norm.", ".layer_norm."),
            (".pwconv", ".pointwise_conv"),
        ),
    ),
)
# Perceptrons of several layers: theirs are numbered, the port's first and last have names of their own.
_PERCEPTRONS = (
    "image_encoder.trunk.blocks.",
    "sam_mask_decoder.transformer.layers.",
    "sam_mask_decoder.output_hypernetworks_mlps.",
    "sam_mask_decoder.iou_prediction_head.",
    "sam_mask_decoder.pred_obj_score_head.",
    "obj_ptr_proj.",
)
_OWN = (
    *("image_encoder.", "memory_attention.", "memory_encoder.", "sam_mask_decoder.", "sam_prompt_encoder."),
    *("mask_downsample.", "maskmem_tpos_enc", "no_mem_", "no_obj_", "obj_ptr_"),
)
"""How names of weights begin in ``sam2``; what is called otherwise is of another model."""

_NUMBERED = re.compile(r"^(.*?)\.layers\.(\d+)\.(weight|bias)$")
_MASK_ENCODER = "memory_encoder.mask_downsampler.encoder."
_CONVOLUTION = re.compile(r"^image_encoder\.neck\.convs\.(\d+)\.conv\.")


def to_transformers(weights: Mapping[str, torch.Tensor]) -> StateDict:
    """Return weights of ``sam2`` under the names of ``transformers``.

    Raises
    ------
    InputError
        If they are not those of a SAM 2 that ``transformers`` has a class for.
    """
    import torch

    _check(weights, "image_encoder.trunk.patch_embed.proj.weight", "a checkpoint of sam2")
    points = [weights[key] for key in sorted(weights) if key.startswith(_POINTS)]
    names = port_names([key for key in weights if not key.startswith(_POINTS) and key != _GAUSSIAN])
    converted = {port: weights[own] for own, port in names.items()}
    converted[_PORT_POINTS] = torch.cat(points)
    # Apart in memory, since files of safetensors hold nothing twice.
    converted |= {name: weights[_GAUSSIAN].clone() for name in _PORT_GAUSSIANS}
    return converted


def from_transformers(weights: Mapping[str, torch.Tensor]) -> StateDict:
    """Return weights of ``transformers`` under the names of ``sam2``.

    Raises
    ------
    InputError
        If they are not those of a ``Sam2VideoModel``.
    """
    _check(weights, "vision_encoder.backbone.patch_embed.projection.weight", "a Sam2VideoModel of transformers")
    own_names = {port: own for own, port in port_names(_own_candidates(weights)).items()}
    converted: StateDict = {}
    for name, tensor in weights.items():
        if name == _PORT_POINTS:
            converted |= {f"{_POINTS}{k}.weight": tensor[k : k + 1].clone() for k in range(len(tensor))}
        elif name in _PORT_GAUSSIANS:
            converted[_GAUSSIAN] = tensor
        elif name in own_names and own_names[name].startswith(_OWN):
            converted[own_names[name]] = tensor
        else:
            raise InputError(f"The weight {name!r} is none of a Sam2VideoModel: only SAM 2 and 2.1 can be converted.")
    return converted


def port_names(own: Iterable[str]) -> dict[str, str]:
    """Return what each of these weights of ``sam2`` is called in ``transformers``; all of a model, but for points."""
    own = list(own)
    last: dict[str, int] = {}
    for name in own:
        found = _NUMBERED.match(name)
        if found and _is_perceptron(name):
            last[found[1]] = max(last.get(found[1], 0), int(found[2]))
    final = max((int(name.split(".")[3]) for name in own if name.startswith(_MASK_ENCODER)), default=0)
    return {name: _port_name(name, last, final) for name in own}


def _port_name(name: str, last: Mapping[str, int], final: int) -> str:
    if name.startswith(_MASK_ENCODER):
        number, _, kind = name.removeprefix(_MASK_ENCODER).partition(".")
        layer, step = divmod(int(number), 3)
        part = "final_conv" if int(number) == final else f"layers.{layer}.{'layer_norm' if step else 'conv'}"
        return f"memory_encoder.mask_downsampler.{part}.{kind}"
    renamed = name
    found = _NUMBERED.match(name)
    if found and found[1] in last:
        layer_idx = int(found[2])
        part = f"layers.{layer_idx - 1}"
        if layer_idx in (0, last[found[1]]):
            part = "proj_in" if layer_idx == 0 else "proj_out"
        renamed = f"{found[1]}.{part}.{found[3]}"
    renamed = _CONVOLUTION.sub(r"image_encoder.neck.convs.\1.", renamed)
    for start, parts in _PARTS:
        if renamed.startswith(start) and "norm_final_attn" not in renamed:
            for theirs, ports in parts:
                renamed = renamed.replace(theirs, ports)
    for theirs, ports in _STARTS:
        if renamed.startswith(theirs):
            return ports + renamed.removeprefix(theirs)
    return renamed


def _own_candidates(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the name of ``sam2`` of each of a port's weights: numbers of layers are not known from one name alone."""
    candidates = []
    layers = [int(n.split(".")[3]) for n in weights if n.startswith("memory_encoder.mask_downsampler.layers.")]
    final = 3 * (max(layers, default=-1) + 1)
    depth: dict[str, int] = {}
    for name in weights:
        found = re.match(r"^(.*)\.layers\.(\d+)\.(?:weight|bias)$", name)
        if found and f"{found[1]}.proj_in.weight" in weights:
            depth[found[1]] = max(depth.get(found[1], 0), int(found[2]) + 1)
    for name in weights:
        candidates.append(_own_name(name, depth, final))
    return [name for name in candidates if name is not None]


def _own_name(name: str, depth: Mapping[str, int], final: int) -> str | None:
    if name == _PORT_POINTS or name in _PORT_GAUSSIANS:
        return None
    start = "memory_encoder.mask_downsampler."
    if name.startswith(start):
        rest = name.removeprefix(start).split(".")
        number = final if rest[0] == "final_conv" else 3 * int(rest[1]) + (rest[2] == "layer_norm")
        return f"{_MASK_ENCODER}{number}.{rest[-1]}"
    renamed = name
    for theirs, ports in _STARTS:
        if name.startswith(ports):
            renamed = theirs + name.removeprefix(ports)
            break
    for begin, parts in _PARTS:
        if renamed.startswith(begin) and "norm_final_attn" not in renamed:
            for theirs, ports in parts:
                renamed = renamed.replace(ports, theirs)
    found = re.match(r"^(.*)\.(proj_in|proj_out|layers\.\d+)\.(weight|bias)$", renamed)
    if found and _is_perceptron(renamed):
        holder = name[: name.index(f".{found[2]}.")]
        number = 0
        if found[2] != "proj_in":
            number = depth.get(holder, 0) + 1 if found[2] == "proj_out" else int(found[2].split(".")[1]) + 1
        renamed = f"{found[1]}.layers.{number}.{found[3]}"
    return re.sub(
        r"^image_encoder\.neck\.convs\.(\d+)\.(weight|bias)$", r"image_encoder.neck.convs.\1.conv.\2", renamed
    )


def _is_perceptron(name: str) -> bool:
    if name.startswith(("image_encoder.trunk.blocks.", "sam_mask_decoder.transformer.layers.")):
        return ".mlp." in name
    return name.startswith(_PERCEPTRONS)


def _check(weights: Mapping[str, torch.Tensor], needed: str, what: str) -> None:
    if needed not in weights:
        raise InputError(f"These weights are not those of {what}: they hold no {needed!r}.")
