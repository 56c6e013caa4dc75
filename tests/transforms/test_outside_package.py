"""The example of a package from outside: built, unpacked where Python looks, and used as anybody would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_dataset import hashes

from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video import DavisDataset

EXAMPLE = Path(__file__).parents[2] / "examples" / "outside-package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel and unpack it, as pip does; nothing is downloaded."""
    built, site = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("site")
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    child = subprocess.run([sys.executable, "-c", code, built], cwd=EXAMPLE, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(built / child.stdout.strip().splitlines()[-1]) as wheel:
        wheel.extractall(site)
    return site


@pytest.fixture
def python(installed):
    def run(*words):
        paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.run(
            [sys.executable, *map(str, words)], capture_output=True, text=True, check=False, env=environment
        )

    return run


def test_the_command_makes_a_data_set_with_it(python, tiny_root, tmp_path):
    words = ("-m", "napari_sam2_probe.cli", "transform")
    helped = python(*words, "--help")
    assert helped.stderr == ""
    assert "  flip              the frame mirrored in the middle\n" in helped.stdout
    assert "axis=sideways|upside-down (default sideways)" in helped.stdout
    assert "  fog               everything fades to grey\n" in helped.stdout
    kind = ("flip", "--davis", tiny_root, "--samples", 3, "--lengths", "3,2,3", "--option", "axis=upside-down")
    for out, workers in (("one", 1), ("two", 2)):
        made = python(*words, *kind, "--then", "fog:density=0.25", "--out", tmp_path / out, "--workers", workers)
        assert (made.returncode, made.stdout) == (0, f"3 flip clips are in {tmp_path / out}\n"), made.stderr
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    (line, *_) = (json.loads(text) for text in (tmp_path / "one" / "clips.jsonl").read_text().splitlines())
    assert (line["clip"], line["twin"]) == ("flip-00000", "clean-00000")
    assert line["options"] == {"axis": "upside-down"}
    assert line["then"] == [{"name": "fog", "options": {"density": 0.25}}]
    clip = DavisDataset(tmp_path / "one")["flip-00000"]
    base = DavisDataset(tiny_root)[line["base"]["sequence"]]
    for t in range(8):
        own = base.object_mask(line["base"]["start"] + t, line["base"]["object_id"])
        np.testing.assert_array_equal(clip.mask(t), own[::-1] if t in (3, 4) else own)
    assert clip.truth.object_present.all()
    refused = python(*words, *kind[:-1], "axis=round", "--out", tmp_path / "none")
    assert refused.returncode == 2
    assert "flip: option axis is 'round' but must be one of sideways, upside-down" in refused.stderr


CODE = """
import sys
import numpy as np
import napari_sam2_probe as sp
from napari_sam2_probe.transforms.registry import KINDS, default_kinds, paper_kinds
from napari_sam2_probe.experiments.config import make_config
from napari_sam2_probe.figures.style import kind_label

assert "flip" in KINDS and "probe_examples.flip" not in sys.modules
clip, twin = sp.make_clip(sys.argv[1], "flip", seed=1, lengths=(3, 2, 3))
for t in range(8):
    np.testing.assert_array_equal(clip.read(t), twin.read(t)[:, ::-1] if t in (3, 4) else twin.read(t))
    np.testing.assert_array_equal(clip.mask(t), twin.mask(t)[:, ::-1] if t in (3, 4) else twin.mask(t))
assert clip.truth.recipe["kind"] == "flip"
assert set(KINDS) - {"flip"} > set(paper_kinds())
config = make_config(davis=sys.argv[1], kinds=("clean", "flip"), then=("fog",))
assert config.options == {"clean": {}, "flip": {"axis": "sideways"}}
assert make_config(davis=sys.argv[1]).kinds == default_kinds() == (*paper_kinds(), "object-kept")
assert kind_label("flip") == "Flip"
"""


def test_python_makes_clips_with_it(python, tiny_root):
    child = python("-c", CODE, tiny_root / "cat-run")
    assert (child.returncode, child.stderr) == (0, "")


POLICY = """
import sys
import numpy as np
import napari_sam2_probe as sp
from napari_sam2_probe.tracking.policies import make_policy, policy_names
from napari_sam2_probe.tracking.prompts import prompts_from_labels
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession

assert "recent" in policy_names()
loaded = sp.load_model("sample", device="cpu")
video = sp.open_video(sys.argv[1])
scores = {}
for name in ("stock", "recent:count=1"):
    options = SessionOptions.for_model(loaded, policy=make_policy(name))
    with VideoSession(loaded.model, video, options) as session:
        session.add_prompt(prompts_from_labels(0, video.mask(0), [1])[0])
        scores[name] = [float(result.object_scores[0]) for result in session.propagate("forward", end=3)]
# Until frame 2 there is but one memory of a tracked frame to read.
same = np.array(scores["stock"]) == np.array(scores["recent:count=1"])
assert same.tolist() == [True, True, True, False], scores
"""


def test_a_run_records_its_position(python, tiny_root, tmp_path):
    words = ("run", tiny_root / "cat-run", "--out", tmp_path / "run", "--checkpoint", "sample", "--device", "cpu")
    mask = tiny_root / "Annotations" / "480p" / "cat-run" / "00000.png"
    made = python("-m", "napari_sam2_probe.cli", *words, "--mask", mask, "--object", 1, "--end", 2)
    assert made.returncode == 0, made.stderr
    run = open_run(tmp_path / "run")
    assert np.isfinite(run.vectors("score_token")[0, :3]).all()
    assert np.isfinite(run.features.query("position == '3s'")["short_term_l2"]).any()


def test_a_session_reads_by_its_policy(python, tiny_root):
    child = python("-c", POLICY, tiny_root / "cat-run")
    assert (child.returncode, child.stderr) == (0, "")


FAMILY = """
import sys
import numpy as np
import napari_sam2_probe as sp

video = sp.open_video(sys.argv[1])
runs = {}
for family in ("sam2", "blurred"):
    loaded = sp.load_model("sample", device="cpu", family=family)
    runs[family] = run = sp.track(video, model=loaded, end=3)
    assert run.info["model"]["family"] == family
    assert np.isfinite(run.vectors["score_token"].values[0, :3]).all()
plain, blurred = (runs[name].maps["5"].sel(statistic="mean").values[0, 1] for name in ("sam2", "blurred"))
raw = runs["blurred"].maps["5r"].sel(statistic="mean").values[0, 1]
assert np.abs(np.diff(blurred)).mean() < 0.8 * np.abs(np.diff(raw)).mean()
assert len(runs["blurred"].explain(2, 1, model=loaded))
again = sp.repeat(runs["blurred"], model=loaded, video=video)
assert np.array_equal(again.pointers, runs["blurred"].pointers, equal_nan=True)
"""


def test_its_family_tracks_records_and_explains(python, tiny_root):
    child = python("-c", FAMILY, tiny_root / "cat-run")
    assert (child.returncode, child.stderr) == (0, "")
