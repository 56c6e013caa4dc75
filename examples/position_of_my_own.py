"""How do I watch a place inside SAM 2 that the package doesn't know?"""

import numpy as np
from matplotlib.figure import Figure

import napari_sam2_probe as sp

# Any module of the network, by its name in it, and what is taken out of what it returns: here the predicted mask as the
# memory encoder sees it, before image features are added.
tap = sp.Tap("memory_encoder.mask_downsampler", lambda output: output)
sp.register_position(sp.Position("6", "mask_to_memory", "Mask on its way into memory", ("channel", "y", "x"), tap=tap))

run = sp.track(sp.sample_video("cat"), model="sample", end=6)
maps = run.maps["mask_to_memory"]
print(maps)
steps = run.features.query("position in ['5', '6'] and frame <= 6")
print(steps.pivot(index="frame", columns="position", values="short_term_l2").round(1))

figure = Figure(figsize=(7, 2.2), layout="constrained")
for axes, frame in zip(figure.subplots(1, 3), (0, 3, 6), strict=True):
    image = maps.sel(object=1, frame=frame, statistic="mean")
    axes.imshow(np.asarray(image), extent=(0, run.video.width, run.video.height, 0))
    axes.set_title(f"Frame {frame}")
figure.savefig("position_of_my_own.png")
