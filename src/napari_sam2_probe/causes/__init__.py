"""What caused a mask: entries of memory taken away, one at a time."""
