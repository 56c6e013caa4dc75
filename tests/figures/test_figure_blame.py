from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.blame import draw_blame, entry_labels, make_blame


@pytest.fixture
def table():
    """A full bank: 7 memories, 16 pointers, 5 groups."""
    rows = [("memory", 0, "conditioning"), *(("memory", t, "recent") for t in range(14, 20))]
    rows += [("pointer", 0, "conditioning"), *(("pointer", t, "recent") for t in range(19, 4, -1))]
    rows += [("memory", None, "all"), ("pointer", None, "all"), ("both", None, "recent")]
    rows += [("both", None, "conditioning"), ("both", None, "all")]
    table = pd.DataFrame(rows, columns=["kind", "entry_frame", "role"]).astype({"entry_frame": "Int64"})
    rng = np.random.default_rng(0)
    return table.assign(
        attention=rng.random(len(rows)), delta_iou=-rng.random(len(rows)), delta_score=rng.normal(size=len(rows))
    )


def test_bars_hold_the_values_in_order(table):
    axes = Figure().subplots()
    draw_blame(axes, table, "delta_iou")
    np.testing.assert_array_equal([bar.get_width() for bar in axes.patches], table["delta_iou"])
    bottom, top = axes.get_ylim()
    assert bottom > top, "the first is on top"
    labels = entry_labels(table)
    assert [labels[0], labels[1], labels[7], labels[8]] == [
        "memory 0, prompted",
        "memory 14",
        "pointer 0, prompted",
        "pointer 19",
    ]
    assert labels[-5:] == ["all memories", "all pointers", "all recent", "all conditioning", "everything"]


def test_a_full_bank_is_well_laid_out(table):
    figure = make_blame(table)
    assert_well_laid_out(figure)
    text = sentences(figure)
    for words in ("Share of attention", "Change of IoU", "everything", "object pointer", "memory 0, prompted"):
        assert words in text


def test_a_run_without_attention(table):
    assert_well_laid_out(make_blame(table.assign(attention=np.nan)))
