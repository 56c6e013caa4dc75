"""What is computed from tables, pointers and masks: separability, timelines, decoders, leads, metrics; no torch."""
