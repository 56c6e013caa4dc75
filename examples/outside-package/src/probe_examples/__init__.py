"""What a package from outside adds to napari-sam2-probe."""
