"""What happens if SAM 2 forgets everything but its prompt for a while?"""

import matplotlib.pyplot as plt

import napari_sam2_probe as sp

model = sp.load_model("sample")
video = sp.sample_video("coins")
coin = sp.points((216, 120))
usual = sp.track(video, coin, model=model, end=11)

forget = {"edit": "drop", "target": "both", "entries": {"role": "recent"}, "at": [5, 8]}
with model.intervene(forget):
    changed = sp.track(video, coin, model=model, end=11)

print(f"frame 6 read {len(usual.bank(6))} entries, and {len(changed.bank(6))} where it was made to forget")
iou = sp.compare(changed, usual).iou
print(iou.round(2).to_string())

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.axvspan(4.5, 8.5, color="0.9", label="recent frames not read")
axes.plot(iou.index, iou, marker="o")
axes.set(xlabel="Frame", ylabel="IoU with the usual mask", ylim=(0, 1.05))
axes.legend(loc="lower left")
figure.savefig("without_memory.png")
plt.close(figure)
