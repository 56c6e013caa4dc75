"""The demo, made once by the command, is what its page says."""

from __future__ import annotations

import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.cli import main
from napari_sam2_probe.export.clip_view import ClipView
from napari_sam2_probe.export.overlay import open_run_video
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.models.checkpoints import sample_checkpoint
from napari_sam2_probe.reports.demo import PAIRS
from napari_sam2_probe.runs import find_runs, open_run
from napari_sam2_probe.video.davis import DavisDataset

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.targets += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    assert main(["demo", "--out", str(out), "--device", "cpu", "--no-view"]) == 0
    return out


@pytest.fixture(scope="module")
def page(demo):
    links = Links()
    links.feed((demo / "index.html").read_text())
    return links


def test_everything_the_page_refers_to_is_there(demo, page):
    assert len(page.targets) >= 14
    for target in page.targets:
        assert not target.startswith(("http", "/")), "the page fetches nothing and names no path of the machine"
        assert (demo / target).stat().st_size > 300


def test_the_figures_show_something(demo):
    for path in sorted((demo / "figures").glob("*.png")):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        assert (pixels < 128).mean() > 0.003, path.name
        assert np.unique(pixels).size > 50, path.name


def test_the_sentences_hold_numbers(page):
    text = " ".join(page.text)
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert re.search(r"J&F of 0\.\d\d before the interjection", text)
    assert "believed the object gone on" in text
    # What the interjection does beside what the same frame does without it.
    assert re.search(r"units of the ordinary step between frames: [\d.]+ at the image embedding", text)
    assert text.count("where without the interjection it is") == 3


def test_the_sample_model_is_named_in_large_letters(demo):
    """Before anything else, and in the figures' files; see `test_report` for what it is told from."""
    assert sample_checkpoint().trained
    html = (demo / "index.html").read_text()
    warning = re.search(r'<p class="warning" role="note">(.*?)</p>', html).group(1)
    assert "THE MODEL IS THE SAMPLE MODEL, A TOY. THESE ARE NOT SAM 2&#39;S WEIGHTS" in warning
    assert html.index('class="warning"') < html.index("<section")
    assert "256 × 256 pixels" in html
    for path in sorted((demo / "figures").glob("*.png")):
        with Image.open(path) as image:
            assert "THE SAMPLE MODEL, A TOY" in image.info["Description"]


def test_an_untrained_model_is_named_in_large_letters():
    described = {"checkpoint": "sample", "sha256": None, "trained": False}
    assert banner({"the demo": described}).startswith("THE MODEL IS NOT TRAINED.")


def test_the_runs_are_whole(demo):
    runs = [open_run(path) for path in find_runs(demo)]
    assert len(runs) == 2 * len(PAIRS)
    for run in runs:
        assert run.finished
        assert run.tracked.all()
        assert np.isfinite(run.object_pointers).all()
        assert np.isfinite(run.maps("prompt_attention", "variance")[:]).all()


def test_twins_see_the_same_until_the_interjection(demo):
    seed = PAIRS[0].seed
    clean, changed = (
        ClipView(open_run(demo / "runs" / f"{kind}-seed{seed}"), sequence(demo, kind, seed), kind)
        for kind in ("clean", "interjection")
    )
    gap = np.flatnonzero(changed.interjection)
    assert gap.tolist() == [12, 13, 14, 15]
    distance = changed.distance_to(clean)
    # Source frames shift by the interjection's length; what SAM 2 saw before it is the same.
    np.testing.assert_array_equal(distance[:12], 0)
    assert np.isnan(distance[gap]).all()
    assert (distance[16:] > 0).any()


def sequence(demo, kind, seed):
    [name] = (dataset := DavisDataset(demo / "clips" / f"{kind}-seed{seed}")).names
    return dataset.sequence(name)


def test_a_demo_is_replaced_and_nothing_else(demo, tmp_path, capsys):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("keep me")
    assert main(["demo", "--out", str(foreign), "--no-view"]) == 2
    assert "not a demo" in capsys.readouterr().err
    assert (foreign / "notes.txt").read_text() == "keep me"


def test_the_runs_name_the_clips_beside_them(demo):
    for path in find_runs(demo):
        with closing(open_run_video(open_run(path))) as source:
            assert Path(source.path).is_relative_to(demo / "clips")


def test_a_missing_checkpoint_is_told_before_anything_is_touched(demo, tmp_path, capsys):
    (demo / "notes.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    assert main(["demo", "--out", str(demo), "--checkpoint", str(tmp_path / "none.pt"), "--no-view"]) == 2
    assert "none.pt" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*")} == before
    assert main(["demo", "--out", str(tmp_path / "new"), "--checkpoint", str(tmp_path / "none.pt"), "--no-view"]) == 2
    assert not list(tmp_path.iterdir())
