"""SAM 2 itself: checkpoints, devices, prompts, the session. The only folder that imports ``sam2``."""
