"""Which of its memories made SAM 2 draw this mask, and is it where it looked?"""

import napari_sam2_probe as sp

model = sp.load_model("sample")
run = sp.track(sp.sample_video("coins"), sp.points((216, 120)), model=model, end=8)

print("Frame 8 read:")
print(run.bank(8).to_string(index=False))

looked = run.attention(8).query("queries == 'inside'").groupby(["kind", "entry_frame"])["share"].mean()
print("Inside the mask it looked at:")
print(looked.round(3).to_string())

# Attention is not cause: take each entry away in turn and see what becomes of the mask.
table = run.explain(8, model=model)
print("Without an entry, the mask and its score change by:")
print(table[["kind", "role", "entry_frame", "attention", "delta_iou", "delta_score"]].round(3).to_string(index=False))

run.plot.blame(table).savefig("what_caused_this_mask.png")
