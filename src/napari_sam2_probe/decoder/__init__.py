"""From an object pointer to a bounding box: fit, file, measurements."""
