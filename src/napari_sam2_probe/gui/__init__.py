"""The only folder that imports napari and Qt."""
