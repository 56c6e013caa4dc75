"""The options of every command that tracks: which model, where, and how it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.models.loaded import ModelChoice


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--checkpoint",
        metavar="NAME|FILE",
        help="an official name, 'sample', or a file (default: the largest official one downloaded, else 'sample')",
    )
    group.add_argument("--config", metavar="YAML", help="the configuration of a checkpoint of your own")
    group.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: %(default)s)")
    group.add_argument(
        "--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default: %(default)s, which is float32)"
    )
    group.add_argument(
        "--no-postprocessing", action="store_true", help="build SAM 2 as Meta's own evaluation does, not as its demo"
    )
    group.add_argument(
        "--no-corrections-as-conditioning",
        action="store_true",
        help="treat corrections as the sam2 package does by default: tracking again overwrites them",
    )
    group.add_argument(
        "--clear-memory-around-prompts", action="store_true", help="forget what was remembered near a prompted frame"
    )
    group.add_argument(
        "--no-overlap", action="store_true", help="let every pixel belong to one object in the logits already"
    )


def model_choice(arguments: argparse.Namespace) -> ModelChoice:
    """Return what the options ask for."""
    from napari_sam2_probe.models.config import ModelFlags
    from napari_sam2_probe.models.loaded import ModelChoice

    flags = ModelFlags(
        postprocessing=not arguments.no_postprocessing,
        add_all_frames_to_correct_as_cond=not arguments.no_corrections_as_conditioning,
        clear_non_cond_mem_around_input=arguments.clear_memory_around_prompts,
        non_overlap_masks=arguments.no_overlap,
    )
    return ModelChoice(arguments.checkpoint, arguments.config, arguments.device, arguments.dtype, flags)
