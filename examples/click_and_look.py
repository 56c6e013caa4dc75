"""What does SAM 2 see at each stage while it follows what I clicked on?"""

import napari_sam2_probe as sp

video = sp.sample_video("cat")  # or your own: sp.open_video("dog.mp4"), a folder of images, an array
run = sp.track(video, sp.points((120, 110)), model="sample", end=9)
print(run)
print(run.maps)

# A map lies over the video: its x and y count the video's pixels. What isn't asked for isn't read.
mask = run.masks.sel(object=1, frame=9)
print(f"{int(mask.sum())} pixels are the cat on frame 9. Mean of the channels inside and outside of it:")
for key in run.maps:
    values = run.maps[key].sel(object=1, frame=9, statistic="mean")
    inside = mask.sel(y=values.y, x=values.x, method="nearest").values
    print(f"{key:20} {float(values.where(inside).mean()):8.2g} {float(values.where(~inside).mean()):8.2g}")

run.plot.composite(frame=9).savefig("click_and_look.png")
