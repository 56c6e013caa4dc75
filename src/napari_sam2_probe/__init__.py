"""Look inside SAM 2 while it tracks an object through a video.

The package has one direction of dependency; each folder is named for what it holds:

``common``
    Errors, files, progress, resumable stores.
``video``, ``analysis``, ``models``
    What comes in (frames and masks); numbers from tables; which SAM 2, from where, on what device.
``transforms``
    A recipe becomes a transformed clip.
``tracking``, ``families``
    Sessions and batches: prompts, memory banks, interventions, policies; the models that they drive.
``probe``, ``decoder``
    What is observed: positions, channel statistics, features over time; from a pointer to a box.
``runs``, ``figures``
    A probe run on disk; Matplotlib functions that draw on an Axes.
``live``, ``evaluation``, ``causes``
    The interactive recorded session; scores against true masks and the protocols of the field; what caused a mask.
``experiment``, ``export``
    Whole data sets of clips; files for other tools.
``report``
    Pages of figures and tables, the demo among them.
``cli`` and ``gui``
    The two faces.

Importing the package is cheap: nothing heavy is imported before it is used.
"""

__version__ = "0.1.0"
