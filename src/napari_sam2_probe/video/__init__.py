"""Videos and masks as they come in: DAVIS and kindred layouts, image folders, video files, arrays."""
