"""An installation without extras: everything but the window works where napari, Qt and Dask are not installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from helpers.bare import HIDDEN, bare_environment
from helpers.scenarios import moving_video, square_mask, write_video
from helpers.small_experiments import small_davis
from napari_sam2_probe.video.masks import write_mask

pytestmark = pytest.mark.slow

INSTALL = 'pip install "napari-sam2-probe[napari]".'

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import napari_sam2_probe
names = []
folders = [(napari_sam2_probe.__path__, "napari_sam2_probe.")]
for path, prefix in folders:
    for module in pkgutil.iter_modules(path, prefix):
        # The window has a folder of its own, and is not loaded by what is no part of it.
        if module.name == "napari_sam2_probe.gui" or module.name.endswith("__main__"):
            continue
        try:
            folder = importlib.import_module(module.name)
        except napari_sam2_probe.InputError as error:
            assert "[distributed]" in str(error), error
            assert module.name == "napari_sam2_probe.experiments.cluster"
            continue
        names.append(module.name)
        if module.ispkg:
            folders.append((folder.__path__, module.name + "."))
for name in napari_sam2_probe.__all__:
    getattr(napari_sam2_probe, name)
import napari_sam2_probe.gui.display
print(json.dumps([names, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

TRY_ALL = """
import importlib, json, sys
from importlib.util import find_spec
found = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        found.append((find_spec(name), str(error)))
print(json.dumps(found))
"""

VIEW_IN_PYTHON = """
import sys
import napari_sam2_probe as sp
try:
    sp.open_run(sys.argv[1]).view()
except sp.InputError as error:
    print(error)
try:
    import napari_sam2_probe.gui.panels.video
except sp.InputError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """``bare("-c", code)`` runs Python in an environment without extras and returns what became of it."""
    environment = bare_environment(tmp_path_factory.mktemp("hook"), OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.fixture(scope="module")
def command(bare):
    """``command("run", ...)`` runs the command there, which must end well, and returns what it wrote."""

    def run(*words: object) -> str:
        done = bare("-m", "napari_sam2_probe.cli", *words)
        assert done.returncode == 0, done.stderr
        # What takes long says how far it is; nothing else is said.
        said = [line for line in done.stderr.splitlines() if not re.fullmatch(r"[\w ]+: \d+.*", line)]
        assert said == []
        return done.stdout

    return run


@pytest.fixture(scope="module")
def made_run(command, tmp_path_factory):
    """A run of three frames, made there."""
    folder = tmp_path_factory.mktemp("bare")
    video = write_video(folder / "video", moving_video(3, 90, 160))
    write_mask(folder / "mask.png", square_mask(0).astype(np.uint8))
    small = ("--checkpoint", "sample", "--device", "cpu")
    said = command("run", video, "--out", folder / "run", "--mask", folder / "mask.png", *small)
    assert "Tracked 3 frames and 1 object(s)" in said
    return folder / "run"


def test_what_is_hidden_is_not_found(bare):
    done = bare("-c", TRY_ALL, *HIDDEN)
    assert json.loads(done.stdout) == [[None, f"No module named {name!r}"] for name in HIDDEN], done.stderr


def test_every_module_of_the_core_is_imported(bare):
    done = bare("-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    names, loaded = json.loads(done.stdout)
    assert len(names) > 200
    assert {"napari_sam2_probe.api.run", "napari_sam2_probe.cli.view", "napari_sam2_probe.reports.demo"} <= set(names)
    assert not set(HIDDEN) & set(loaded)


def test_the_command_tracks_exports_and_explains_itself(command, made_run, tmp_path):
    assert "view" in command("--help")
    command("export", made_run, "--what", "masks", "--out", tmp_path / "masks")
    assert len(list((tmp_path / "masks").rglob("*.png"))) == 3


def test_an_experiment_and_its_report(command, tmp_path):
    words = ("--kinds", "clean", "--samples", 1, "--lengths", "3,2,3", "--checkpoint", "sample", "--device", "cpu")
    command("experiment", "--davis", small_davis(tmp_path / "davis"), "--out", tmp_path / "experiment", *words)
    quick = ("--dpi", 40, "--resamples", 50)
    command("report", tmp_path / "experiment", "--out", tmp_path / "report", *quick)
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_window_says_what_to_install(bare, made_run):
    done = bare("-m", "napari_sam2_probe.cli", "view", made_run)
    assert (done.returncode, done.stderr) == (2, f"sam2-probe: The window needs napari: {INSTALL}\n")
    done = bare("-c", VIEW_IN_PYTHON, made_run)
    assert done.stdout == f"The window needs napari: {INSTALL}\n" * 2, done.stderr
    done = bare("-m", "napari_sam2_probe.cli", "demo", "--out", made_run.parent / "demo", "--view")
    assert (done.returncode, done.stderr) == (2, f"sam2-probe: The window needs napari: {INSTALL}\n")
    assert not os.path.lexists(made_run.parent / "demo")


def test_workers_say_what_to_install(bare, tmp_path):
    words = ("--davis", small_davis(tmp_path / "davis"), "--out", tmp_path / "experiment", "--kinds", "clean")
    done = bare("-m", "napari_sam2_probe.cli", "experiment", *words, "--checkpoint", "sample", "--workers", 2)
    assert done.returncode == 2
    assert 'pip install "napari-sam2-probe[distributed]"' in done.stderr
