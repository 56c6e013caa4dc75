"""The kinds of clips, one module each: ``OPTIONS``, ``plan(draw)`` and ``make(recipe, footage)``.

The names are in `napari_sam2_probe.transforms.registry`.
"""
