"""What the Memory panel shows and asks, without its widgets."""
