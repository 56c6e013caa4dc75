"""What is computed from tables and masks: pointers, region and boundary metrics."""
