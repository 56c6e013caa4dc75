"""Look inside SAM 2 while it tracks an object through a video.

The package has one direction of dependency; each folder is named for what it holds:

``video``
    What comes in: frame sources and masks.
``transforms``
    A recipe becomes a transformed clip.
``tracking``
    SAM 2 itself. The only folder that imports ``sam2``.
``probe``
    What is observed: positions, channel statistics, features over time.
``analysis``
    What is computed from tables: pointers, region and boundary metrics.
``runs``
    A probe run on disk.
``figures``
    Matplotlib functions that draw on an Axes.
``experiment``
    Whole jobs: the demo and its report.
``cli`` and ``gui``
    The two faces.

Importing the package is cheap: nothing heavy is imported before it is used.
"""

__version__ = "0.1.0"
