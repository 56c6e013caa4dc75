"""The frame around all commands: help, mistakes, errors, exit codes, progress."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_sam2_probe import __version__
from napari_sam2_probe.cli import app, progress
from napari_sam2_probe.cli.app import COMMANDS
from napari_sam2_probe.cli.progress import progress_bars
from napari_sam2_probe.common import progress as common_progress
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress

HEAVY = {
    *("torch", "torchvision", "sam2", "hydra", "omegaconf", "napari", "qtpy", "matplotlib", "pandas"),
    *("zarr", "dask", "scipy", "skimage", "sklearn", "av", "tifffile", "tqdm"),
}


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["transform", "--help"], ["experiment", "--help"]])
def test_help_waits_for_nothing_heavy(words):
    code = (
        "import sys\n"
        "from napari_sam2_probe.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    print('CODE', stop.code)\n"
        "print('MODULES', *sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    text, _, modules = child.stdout.rpartition("MODULES")
    assert text.endswith("CODE 0\n")
    assert text.startswith("usage: sam2-probe")
    assert HEAVY & set(modules.split()) == set()


def test_help_names_every_command(command):
    answer = command("--help")
    assert answer.code == 0
    assert all(f"\n    {name}" in answer.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command, name):
    answer = command(name, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: sam2-probe {name}")


def test_version(command):
    assert command("--version").out == f"sam2-probe {__version__}\n"


def test_the_module_is_the_command():
    child = subprocess.run(
        [sys.executable, "-m", "napari_sam2_probe.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert child.stdout == f"sam2-probe {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "sam2-probe: the following arguments are required: COMMAND (see 'sam2-probe --help')"),
        (["track"], "invalid choice: 'track'"),
        (["run"], "sam2-probe run: the following arguments are required: --out (see 'sam2-probe run --help')"),
        (["run", "v", "--out", "o", "--frame", "first"], "argument --frame: invalid int value: 'first'"),
        (["run", "v", "--out", "o", "--direction", "up"], "argument --direction: invalid choice: 'up'"),
        (["run", "v", "--out", "o", "--zoom"], "unrecognized arguments: --zoom"),
        (
            ["transform", "melt", "--davis", "d", "--out", "o"],
            "There is no kind 'melt': choose one of clean, interjection, object-removal",
        ),
    ],
)
def test_a_mistake_is_one_line(command, words, said):
    answer = command(*words)
    assert answer.code == 2
    assert answer.out == ""
    assert said in answer.sentence


@pytest.fixture
def doctored(monkeypatch):
    """Let the command ``doctor`` raise something."""

    def raising(error: BaseException) -> None:
        from napari_sam2_probe.cli import doctor

        def run(_arguments) -> None:
            raise error

        monkeypatch.setattr(doctor, "run", run)

    return raising


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("One thing is\nwrong: fix it."), 2, "sam2-probe: One thing is wrong: fix it."),
        (KeyboardInterrupt(), 130, "sam2-probe: interrupted; what was finished is kept."),
        (OSError(errno.EACCES, "Permission denied", "/some/file"), 2, "sam2-probe: /some/file: Permission denied; "),
        (OSError("odd"), 2, "sam2-probe: odd; "),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "sam2-probe: The disk is full while writing temporary"),
    ],
)
def test_errors_become_one_line(doctored, command, error, code, said):
    doctored(error)
    answer = command("doctor")
    assert answer.code == code
    assert answer.sentence.startswith(said)


def test_a_defect_of_ours_is_not_hidden(doctored):
    doctored(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        app.main(["doctor"])


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_a_reader_who_leaves_is_no_error():
    script = f"{sys.executable} -m napari_sam2_probe.cli checkpoints list | true; exit ${{PIPESTATUS[0]}}"
    child = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")


def report(total: int, what: str = "tracking cat") -> None:
    with progress_bars() as show:
        for done in range(1, total + 1):
            show(Progress(done, total, what, "frame"))
        show(Progress(5, 0, "fetching", "byte"))


@pytest.mark.skipif(os.name != "posix", reason="makes a POSIX terminal")
def test_a_terminal_gets_bars():
    """Also one that doesn't know its size, as this one doesn't."""
    ours, theirs = os.openpty()
    code = "from test_app import report; report(3)"
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, cwd=Path(__file__).parent) as child:
        child.wait(60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    lines = [line.rstrip("\r").split("\r")[-1] for line in shown.split("\n")]
    assert lines[0].startswith("tracking cat: 100%|")
    assert "| 3/3 [" in lines[0]
    assert lines[1].startswith("fetching: 5.00 [00:00]")


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    clock = [0.0]

    def go_on():
        clock[0] += 4
        return clock[0]

    monkeypatch.setattr(common_progress, "time", SimpleNamespace(monotonic=go_on))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    report(9)
    # The clock goes on by 4 s a frame, and a line comes after 10 s.
    assert capsys.readouterr().err.splitlines() == [
        "tracking cat: 4 of 9, about 20 s left",
        "tracking cat: 7 of 9, about 8 s left",
    ]


@pytest.mark.parametrize(
    ("event", "left", "line"),
    [
        (Progress(10_000_000, 90_000_000, "fetching", "byte"), 480, "fetching: 10 MB of 90 MB, about 8 min left"),
        (Progress(3_000_000, 0, "fetching", "byte"), None, "fetching: 3 MB"),
        (Progress(10, 1000, "making clips", "clip"), 9900, "making clips: 10 of 1000, about 2.8 h left"),
        (Progress(1, 9, "tracking", "frame", "6 of 7 made"), 40, "tracking: 1 of 9, about 40 s left; 6 of 7 made"),
        (Progress(0, 10, "making clips", "clip"), None, "making clips: 0 of 10"),
    ],
)
def test_lines_of_a_log(event, left, line):
    assert progress._line(event, left) == line


def test_a_log_of_a_short_job_stays_empty(capsys):
    report(50)
    assert capsys.readouterr().err == ""
