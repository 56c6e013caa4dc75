"""What the manifest offers to napari: readers and sample data."""
