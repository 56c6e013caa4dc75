"""Every path that a command takes may be a name that no file can have: one sentence, and nothing is made."""

from __future__ import annotations

import io
import os
import sys

import pytest

from helpers.layout_trees import davis
from helpers.paths import NO_NAMES
from helpers.scenarios import moving_video, write_video
from helpers.typed_command import H, T, W
from napari_sam2_probe.cli import main

NAME = "the name"
RUN = ("run", "video", "--out", "out", "--box", "18,28,52,58")
EXPERIMENT = ("experiment", "--out", "out", "--samples", "1", "--davis", "davis")

COMMANDS = [
    ("run", NAME, "--out", "out", "--box", "18,28,52,58"),
    ("run", "video", "--out", NAME, "--box", "18,28,52,58"),
    ("run", "video", "--out", "out", "--mask", NAME),
    ("run", "video", "--out", "out", "--prompts", NAME),
    (*RUN, "--frames-csv", NAME),
    (*RUN, "--checkpoint", NAME),
    (*RUN, "--config", NAME),
    ("transform", "interjection", "--davis", NAME, "--out", "out"),
    ("transform", "interjection", "--davis", "davis", "--out", NAME),
    ("transform", "interjection", "--davis", "davis", "--out", "out", "--split", NAME),
    ("evaluate", "--gt", NAME, "--pred", "davis"),
    ("evaluate", "--gt", "davis", "--pred", NAME),
    ("evaluate", "--gt", "davis", "--pred", "davis/Annotations/480p", "--out", NAME),
    ("experiment", "--out", "out", "--samples", "1", "--davis", NAME),
    ("experiment", "--out", NAME, "--samples", "1", "--davis", "davis"),
    ("experiment", "--out", "out", "--settings", NAME),
    (*EXPERIMENT, "--split", NAME),
    (*EXPERIMENT, "--checkpoint", NAME),
    (*EXPERIMENT, "--config", NAME),
    (*EXPERIMENT, "--predictions", f"theirs={NAME}"),
    ("protocols", "--davis", NAME, "--out", "out"),
    ("protocols", "--davis", "davis", "--out", NAME),
    ("protocols", "--davis", "davis", "--out", "out", "--predictions", f"theirs={NAME}"),
    ("decoder", "fit", "--davis", NAME),
    ("decoder", "fit", "--davis", "davis", "--out", NAME),
    ("decoder", "lead", "--davis", NAME),
    ("decoder", "lead", "--davis", "davis", "--out", f"{NAME}.csv"),
    ("decoder", "lead", "--davis", "davis", "--decoder", NAME),
    ("decoder", "show", NAME),
    ("export", NAME, "--what", "masks", "--out", "out"),
    ("report", NAME, "--out", "out"),
    ("checkpoints", "verify", NAME),
    ("checkpoints", "download", NAME),
    ("demo", "--no-view", "--out", NAME),
    ("view", NAME),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    davis(folder / "davis")
    write_video(folder / "video", moving_video(T, H, W))
    return folder


@pytest.fixture
def place(data, monkeypatch):
    monkeypatch.chdir(data)
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", "no checkpoints")
    return data


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_one_sentence(command, place, words, name):
    before = sorted(place.rglob("*"))
    answer = command(*(word.replace(NAME, name) for word in words))
    assert answer.code == 2
    assert answer.out == ""
    # Not from the parser of words, which names the command.
    assert answer.sentence.startswith("sam2-probe: ")
    # Else the file system itself has answered, in the middle of some work.
    assert "make that possible" not in answer.sentence
    assert sorted(place.rglob("*")) == before


def test_a_path_goes_out_as_it_came_in(data, monkeypatch, tmp_path):
    """Names are bytes; a terminal shows those that are no text somehow, and a pipe hands them on."""
    out = tmp_path / os.fsdecode(b"scores \xff.csv")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8", "strict"))
    masks = str(data / "davis" / "Annotations" / "480p")
    monkeypatch.setattr(sys, "argv", ["sam2-probe", "evaluate", "--gt", masks, "--pred", masks, "--out", str(out)])
    assert main() == 0
    assert os.fsencode(out) in sys.stdout.buffer.getvalue()
    assert out.is_file()
