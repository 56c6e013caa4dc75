"""``python -m napari_sam2_probe.cli``: the command where its script is not on the path."""

import sys

from napari_sam2_probe.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
