"""What changes inside SAM 2 while something hides the object?"""

import napari_sam2_probe as sp

# A cut-out from another video passes in front of the cup; the twin is the same without it.
clip, twin = sp.make_clip(sp.sample_video("coffee"), "obscuration", seed=1, lengths=(4, 6, 4))

# Without a prompt tracking begins with the true mask of the first frame.
model = sp.load_model("sample")
comparison = sp.compare(sp.track(clip, model=model), sp.track(twin, model=model))

distances = comparison.distances.pivot(index="frame", columns="position", values="distance")
distances.insert(0, "obscured", clip.truth.obscured_fraction)
distances["iou of masks"] = comparison.iou
print(distances.round(3).to_string())

comparison.plot().savefig("obscured_and_twin.png")
