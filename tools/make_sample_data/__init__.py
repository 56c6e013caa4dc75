"""Make the sample videos in ``sample_data/`` from photographs that ship inside scikit-image.

A video is a `rendering.Scene`: a background photograph under a moving camera, and `rendering.Actor` objects, each a
`cutouts.Cutout` with a `motion.Path`. `scenes.SCENES` holds the sequences, `rendering.render` draws a frame and its
masks, and ``python -m tools.make_sample_data`` writes them all.
"""
