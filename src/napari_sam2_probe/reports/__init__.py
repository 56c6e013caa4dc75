"""The report of experiments: every figure of the paper and every table, on one page.

`make_report` collects. A module of `sections` makes each part, out of functions of `napari_sam2_probe.figures` and
`napari_sam2_probe.analysis`; `subject` is one experiment as all of them see it.
"""
