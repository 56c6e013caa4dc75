"""How do I get at the numbers of a run with xarray and pandas, and keep them?"""

import matplotlib.pyplot as plt

import napari_sam2_probe as sp

video = sp.sample_video("astronaut")
sp.track(video, model="sample", end=9).save("arrays_and_tables_run", overwrite=True)

run = sp.open_run("arrays_and_tables_run")  # later, elsewhere; also runs of the command and of the window
print(run)
print(run.maps["2"])  # by the paper's number, or by name: run.maps["memory_attention"]
print(run.pointers.sel(object=2).std("frame").values.round(2)[:8])

# One row for each object, position and frame.
table = run.features
print(table.groupby(["object_id", "position"])["short_term_l2"].mean().unstack().round(2).to_string())

axes = table[table["position"] == "4"].pivot(index="frame", columns="object_id", values="short_term_l2").plot()
axes.set(ylabel="L2 to the pointer before", title="Two objects of one run")
axes.figure.savefig("arrays_and_tables.png")
plt.close(axes.figure)
