"""What is observed inside SAM 2: positions, channel statistics, features over time."""
