"""Which model: checkpoints, downloads, devices, loading."""
