"""``sam2-probe doctor``: what it says about this machine, and about machines that lack something."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys

import pytest

from napari_sam2_probe.cli import doctor as command
from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.models import checkpoints, doctor
from napari_sam2_probe.models.checkpoints import OFFICIAL, OfficialCheckpoint
from napari_sam2_probe.models.doctor import Finding, examine_checkpoints, examine_window, torch_pair

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="screens are told by variables on Linux only")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def without_screen() -> dict[str, str]:
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return {key: value for key, value in os.environ.items() if key not in gone}


@linux
def test_headless_machine_is_well(folder, monkeypatch, capsys):
    for name in set(os.environ) - set(without_screen()):
        monkeypatch.delenv(name)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([]))
    out = capsys.readouterr().out
    topics = {line[9:23].strip() for line in out.splitlines() if line[:8].strip()}
    assert {"Python", "packages", "torch", "device", "dtype", "memory", "disk", "checkpoint", "window"} <= topics
    assert "there is no screen" in out
    assert "problem" not in {line[:8].strip() for line in out.splitlines()}
    assert all(len(line) <= 110 or " " not in line.strip() for line in out.splitlines())


def test_a_problem_ends_with_an_error(monkeypatch, capsys):
    findings = [Finding("a", "ok", "well"), Finding("b", "problem", "broken", "fix it")]
    monkeypatch.setattr(doctor, "examine", lambda _: iter(findings))
    with pytest.raises(ResourceError, match="found one problem"):
        command.run(argparse.Namespace())
    assert capsys.readouterr().out.splitlines() == [
        "ok       a              well",
        "problem  b              broken",
        "                        -> fix it",
    ]


def test_long_findings_are_wrapped_under_themselves():
    lines = command.render(Finding("topic", "note", "word " * 40, "do " * 60)).splitlines()
    assert len(lines) > 3
    assert all(len(line) <= 110 for line in lines)
    assert all(line.startswith(" " * 24) for line in lines[1:])


@pytest.mark.parametrize(
    ("torch", "torchvision", "asks", "level"),
    [
        ("2.14.1", "0.29.1", ["numpy", "torch==2.14.1", "pillow"], "ok"),
        ("2.14.1+cu130", "0.29.1+cu130", ["torch==2.14.1"], "ok"),
        ("2.13.0", "0.29.1", ["torch==2.14.1"], "problem"),
        ("2.5.1", "0.20.1", ["torch (==2.5.1)"], "ok"),
        ("2.6.0a0", "0.21.0a0", ["torch"], "ok"),
        (None, "0.29.1", ["torch==2.14.1"], "problem"),
        ("2.14.1", None, [], "problem"),
    ],
)
def test_torch_and_torchvision_belong_together(torch, torchvision, asks, level):
    finding = torch_pair(torch, torchvision, asks)
    assert finding.level == level
    assert bool(finding.advice) == (level == "problem")


def test_packages_are_compared_with_what_is_asked_for(tmp_path, monkeypatch):
    facts = tmp_path / "napari_sam2_probe-9.dist-info" / "METADATA"
    facts.parent.mkdir()
    wants = ["numpy>=1", "scipy>=999", "sam2-probe-nowhere>=1", "sam2-probe-never>=1; extra == 'all'"]
    lines = ["Metadata-Version: 2.1", "Name: napari-sam2-probe", "Version: 9", *(f"Requires-Dist: {w}" for w in wants)]
    facts.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    problems = [finding for finding in doctor.examine_packages() if finding.level == "problem"]
    assert [finding.text.split()[0] for finding in problems] == ["scipy", "sam2-probe-nowhere"]
    assert "is not installed; needed is >=1" in problems[1].text
    assert problems[0].advice == "install it: pip install 'scipy>=999'"


def test_checkpoints_are_verified_by_content(folder, monkeypatch):
    good, bad, swapped = (
        OfficialCheckpoint(name, "https://example.invalid", None, hashlib.sha256(name.encode()).hexdigest(), "c", 1.0)
        for name in ("good", "bad", "swapped")
    )
    monkeypatch.setattr(checkpoints, "OFFICIAL", (good, bad, swapped))
    monkeypatch.setattr(doctor, "OFFICIAL", (good, bad, swapped))
    (folder / "good.pt").write_bytes(b"good")
    (folder / "bad.pt").write_bytes(b"changed")
    (folder / "swapped.pt").write_bytes(b"good")
    found = [finding for finding in examine_checkpoints() if "sample" not in finding.text]
    assert [finding.level for finding in found] == ["ok", "problem", "problem"]
    assert "not the file that Meta published" in found[1].text
    assert "this is good" in found[2].text
    assert "sam2-probe checkpoints download swapped" in found[2].advice


def test_no_checkpoint_is_a_note_with_a_command(folder):
    finding = [finding for finding in examine_checkpoints() if "no official" in finding.text]
    assert finding[0].level == "note"
    assert f"download {OFFICIAL[0].name}" in finding[0].advice


@linux
def test_no_screen_is_a_note():
    *_, last = examine_window(without_screen())
    assert (last.topic, last.level) == ("OpenGL", "note")


@linux
def test_a_screen_that_is_not_there_is_a_problem_not_a_crash():
    *_, last = examine_window({**without_screen(), "DISPLAY": ":4711"})
    assert (last.topic, last.level) == ("OpenGL", "problem")
    assert ":4711" in last.text
    assert "'view'" in last.advice


def test_drawing_off_screen_is_a_note():
    *_, last = examine_window({**without_screen(), "QT_QPA_PLATFORM": "offscreen"})
    assert (last.topic, last.level) == ("OpenGL", "note")


@pytest.mark.parametrize(
    ("python", "version", "level"),
    [((3, 11), "6.12.0", "problem"), ((3, 11), "6.11.3", "ok"), ((3, 12), "6.12.0", "ok")],
)
def test_a_binding_that_ends_the_process_is_a_problem(monkeypatch, python, version, level):
    monkeypatch.setattr(doctor, "find_spec", lambda name: name in ("PySide6", "napari"))
    monkeypatch.setattr(doctor, "_version", lambda _: version)
    monkeypatch.setattr(sys, "version_info", (*python, 0, "final", 0))
    first, *_ = examine_window(without_screen() | {"QT_QPA_PLATFORM": "offscreen"})
    assert (first.topic, first.level) == ("window", level)
    assert ("Python 3.11" in first.text, "6.12.0" in (first.advice or "")) == ((level == "problem"),) * 2


@linux
def test_a_driver_that_hangs_is_given_up():
    *_, last = examine_window({**without_screen(), "DISPLAY": ":0"}, timeout=0.01)
    assert last.level == "problem"
    assert "didn't answer" in last.text


@pytest.mark.skipif(not os.environ.get("DISPLAY") or "QT_QPA_PLATFORM" in os.environ, reason="needs a screen")
def test_a_real_screen_draws():
    *_, last = examine_window(dict(os.environ))
    assert last.level == "ok"
    assert "drawn by" in last.text


@pytest.mark.parametrize("gone", ["torchvision", "torch", "psutil"])
def test_what_is_missing_is_said(gone):
    """It is there to say so, so it must not need what is missing."""
    code = (
        "import sys, importlib.metadata as metadata\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {gone!r}:\n"
        f"            raise ModuleNotFoundError('gone', name={gone!r})\n"
        "sys.meta_path.insert(0, Gone())\n"
        "real = metadata.distribution\n"
        "def distribution(name):\n"
        f"    if name == {gone!r}:\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.distribution = distribution\n"
        "from napari_sam2_probe.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    child = subprocess.run([sys.executable, "-c", code, "doctor"], capture_output=True, text=True)
    assert child.returncode == 2
    assert "Traceback" not in child.stderr
    said = " ".join(line for line in child.stdout.splitlines() if line.startswith("problem"))
    assert f"{gone} is" in said
    assert "pip install" in child.stdout
    # All that needs nothing of it was tried all the same.
    assert "OpenGL" in child.stdout
    if gone == "torch":
        track = subprocess.run([sys.executable, "-c", code, "run", "no", "--point", "1,2", "--out", "no"],
                               capture_output=True, text=True)  # fmt: skip
        assert track.returncode == 2
        assert "Traceback" not in track.stderr
