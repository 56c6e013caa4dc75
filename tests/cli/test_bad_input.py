"""Whatever is wrong: one clear sentence on stderr, exit code 2, no traceback and no part of a run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers.scenarios import moving_video
from helpers.typed_command import H, T, W
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video.masks import write_mask

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

SMALL = ("--checkpoint", "sample", "--device", "cpu")
BOX = ("--box", "18,28,52,58")


@pytest.fixture
def refuse(command, tmp_path):
    """Run the command and return its sentence, having made sure that nothing else happened."""

    def run(*words: object, out: Path = tmp_path / "run") -> str:
        before = sorted(tmp_path.rglob("*"))
        answer = command("run", *words, "--out", out)
        assert answer.code == 2
        assert answer.out == ""
        assert answer.sentence.startswith("sam2-probe: ")
        assert "Traceback" not in answer.err
        assert sorted(tmp_path.rglob("*")) == before
        return answer.sentence

    return run


# Videos


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def text_named_jpg(folder: Path) -> Path:
    (folder / "video" / "00003.jpg").write_text("This is no picture.")
    return folder / "video"


def sizes_that_differ(folder: Path) -> Path:
    Image.new("RGB", (W, H + 1)).save(folder / "video" / "00003.jpg")
    return folder / "video"


def garbage_mp4(folder: Path) -> Path:
    (folder / "film.mp4").write_bytes(np.random.default_rng(0).bytes(4000))
    return folder / "film.mp4"


def cut_off_mp4(folder: Path) -> Path:
    import av

    with av.open(str(folder / "film.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height = W, H
        for frame in moving_video(T, H, W):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        film.mux(stream.encode())
    content = (folder / "film.mp4").read_bytes()
    (folder / "film.mp4").write_bytes(content[: len(content) // 2])
    return folder / "film.mp4"


def text_file(folder: Path) -> Path:
    (folder / "notes.txt").write_text("hello")
    return folder / "notes.txt"


def nan_everywhere(folder: Path) -> Path:
    (folder / "floats").mkdir()
    for t in range(3):
        tifffile.imwrite(folder / "floats" / f"{t}.tif", np.full((H, W), np.nan, np.float32))
    return folder / "floats"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, "There is no video"),
        (empty, "holds no images"),
        (text_named_jpg, "00003.jpg is not an image"),
        (sizes_that_differ, "is 160x91 but the frames before it are 160x90"),
        (garbage_mp4, "film.mp4"),
        (cut_off_mp4, "film.mp4"),
        (text_file, "notes.txt is not a video file"),
        (nan_everywhere, "hold no finite intensity"),
    ],
)
def test_video(refuse, video, tmp_path, make, said):
    path = make(tmp_path)
    assert said in refuse(path, *BOX, *SMALL)


# Prompts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give what to track in one way"),
        (("--mask", "mask.png", *BOX), "Give what to track in one way"),
        (("--prompts", "p.json", "--point", "3,3"), "Give what to track in one way"),
        (("--prompts", "p.json", "--frame", "2"), "leave out --frame and --object"),
        (("--mask", "none.png"), "There is no mask file"),
        (("--mask", "large.png"), "is 161x90 but the video is 160x90"),
        (("--mask", "blank.png"), "holds no object"),
        (("--mask", "mask.png", "--object", "4"), "Object 4 is not in the mask for frame 0, which holds 1"),
        (("--mask", "mask.png", "--object", "0"), "Object 0 is not in the mask"),
        (("--mask", "mask.png", "--frame", "6"), "Frame 6 is not in video, whose frames are 0 to 5"),
        (("--mask", "mask.png", "--frame", "-1"), "Frame -1 is not in video"),
        (("--mask", "photo.jpg"), "is a JPEG"),
        (("--point", "200,20"), "Point 200,20 in the prompt for object 1 on frame 0 is outside the image"),
        (("--point", "3,3", "--object", "0"), "Object id 0 can't be used"),
        (("--point", "3,3", "--object", "70000"), "at most 65535"),
        (("--point", "3"), "--point 3: give numbers as X,Y or X,Y,0"),
        (("--point", "a,b"), "--point a,b: give numbers"),
        (("--point", "nan,3"), "--point nan,3: give numbers"),
        (("--point", "1e39,3"), "--point 1e39,3: give numbers"),
        (("--point", "3,3", "3,3,2"), "--point 3,3,2: the third number is 1"),
        (("--point", "3,3,0.5"), "--point 3,3,0.5: the third number is 1"),
        (("--point", ""), "--point : give numbers"),
        (("--box", "1,2,3"), "--box 1,2,3: give numbers as X0,Y0,X1,Y1"),
        (("--box", "10,10,10,40"), "The box 10,10,10,40 in the prompt for object 1 on frame 0 has no area"),
        (("--box", "40,10,20,40"), "has no area"),
        (("--box", "10,10,20,140"), "Box corner 20,140 in the prompt for object 1 on frame 0 is outside"),
        (("--prompts", "none.json"), "can't be read as JSON"),
        (("--prompts", "photo.jpg"), "can't be read as JSON"),
        (("--prompts", "empty.json"), "There is no prompt for video"),
        ((*BOX, "--start", "6"), "The first frame 6 is not in video"),
        ((*BOX, "--end", "-1"), "The last frame -1 is not in video"),
        ((*BOX, "--start", "4", "--end", "2"), "No frame lies between the first, 4, and the last, 2"),
        ((*BOX, "--direction", "both", "--end", "2"), "can't be given for both directions"),
        ((*BOX, "--epsilon", "0"), "The epsilon 0 can't be used"),
        ((*BOX, "--frames-csv", "none.csv"), "can't be read as a frames.csv"),
        ((*BOX, "--frames-csv", "other.csv"), "0 rows for the clip video"),
        ((*BOX, "--device", "tpu"), "There is no device 'tpu'"),
        ((*BOX, "--dtype", "int8"), "There is no number format 'int8'"),
    ],
)
def test_prompts_and_options(refuse, video, mask, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    write_mask("large.png", np.ones((H, W + 1), np.uint8))
    write_mask("blank.png", np.zeros((H, W), np.uint8))
    Image.new("RGB", (W, H)).save("photo.jpg")
    Path("p.json").write_text('[{"points": [[3, 3]]}]')
    Path("empty.json").write_text("[]")
    header = "clip,frame,source_sequence,source_frame,object_present,context_present,obscured_fraction\n"
    Path("other.csv").write_text(header + "another,0,a,0,True,True,\n")
    assert said in refuse(video, *SMALL[:2], *words)


# Checkpoints


class Code:
    """What a malicious checkpoint would run when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("was_here",))


def truncated(folder: Path) -> list[str]:
    import torch

    torch.save({"model": {"a": torch.zeros(1000)}}, folder / "cut.pt")
    content = (folder / "cut.pt").read_bytes()
    (folder / "cut.pt").write_bytes(content[: len(content) // 2])
    return ["--checkpoint", "cut.pt"]


def pickled_code(folder: Path) -> list[str]:
    import torch

    torch.save({"model": Code()}, folder / "code.pt")
    return ["--checkpoint", "code.pt"]


def plain_pickle(folder: Path) -> list[str]:
    (folder / "code.pt").write_bytes(pickle.dumps(Code()))
    return ["--checkpoint", "code.pt"]


def another_configuration(folder: Path) -> list[str]:
    import torch

    from napari_sam2_probe.families.loading import seeded_model
    from napari_sam2_probe.models.config import SMALL_CONFIG

    torch.save({"model": seeded_model(SMALL_CONFIG).state_dict()}, folder / "small.pt")
    return ["--checkpoint", "small.pt", "--config", "sam2.1_hiera_t"]


def foreign_class(folder: Path) -> list[str]:
    (folder / "evil.yaml").write_text("model:\n  _target_: os.mkdir\n  path: was_here\n")
    return ["--checkpoint", "sample", "--config", "evil.yaml"]


def no_such(folder: Path) -> list[str]:
    return ["--checkpoint", "sam3_hiera_huge"]


def not_downloaded(folder: Path) -> list[str]:
    return ["--checkpoint", "sam2.1_hiera_tiny"]


def a_zip(folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "z.pt", "w") as archive:
        archive.writestr("hello", "there")
    return ["--checkpoint", "z.pt"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (truncated, "not a complete checkpoint"),
        (pickled_code, "holds pickled code, not only weights, so it was not loaded"),
        (plain_pickle, "not a complete checkpoint"),
        (a_zip, "not a complete checkpoint"),
        (another_configuration, "don't belong to the configuration sam2.1_hiera_t"),
        (foreign_class, "names 'os.mkdir', which is not among the classes of sam2"),
        (no_such, "neither a file nor a checkpoint's name"),
        (not_downloaded, "run 'sam2-probe checkpoints download sam2.1_hiera_tiny'"),
    ],
)
def test_checkpoint(refuse, video, tmp_path, monkeypatch, make, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAM2_PROBE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    words = make(tmp_path)
    assert said in refuse(video, *BOX, *words, "--device", "cpu")
    assert not Path("was_here").exists()


# The machine


def test_a_device_that_is_not_there(refuse, video):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "The device cuda is not there" in refuse(video, *BOX, "--checkpoint", "sample", "--device", "cuda")


def test_an_output_that_exists(refuse, video, tmp_path):
    (tmp_path / "mine").mkdir()
    assert "mine exists already: name another folder" in refuse(video, *BOX, *SMALL, out=tmp_path / "mine")


def test_an_output_below_a_file(refuse, video, mask):
    assert "mask.png is a file" in refuse(video, *BOX, *SMALL, out=mask / "run")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where not even root may write")
def test_an_output_where_nothing_can_be_made(refuse, video):
    assert "/proc/run can't be" in refuse(video, *BOX, *SMALL, out=Path("/proc/run")).replace("The run ", "")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_without_permission(refuse, video, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked can't be written to" in refuse(video, *BOX, *SMALL, out=tmp_path / "locked" / "run")


@pytest.mark.parametrize("fitting", [0, 2])
def test_out_of_gpu_memory(command, video, tmp_path, monkeypatch, fitting):
    import torch

    from napari_sam2_probe.families import loading

    left = iter(range(fitting))
    build = loading.build_model

    def full(_module, _inputs):
        if next(left, None) is None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    def small_gpu(*arguments, **keywords):
        model = build(*arguments, **keywords)
        model.image_encoder.register_forward_pre_hook(full)
        return model

    monkeypatch.setattr(loading, "build_model", small_gpu)
    answer = command("run", video, "--out", tmp_path / "run", *BOX, *SMALL)
    assert answer.code == 2
    assert "memory of this machine doesn't suffice" in answer.sentence
    assert "choose a smaller checkpoint" in answer.sentence
    if fitting == 0:
        assert not (tmp_path / "run").exists()
    else:
        assert f"The frames before are in {tmp_path / 'run'}, marked as unfinished." in answer.sentence
        run = open_run(tmp_path / "run")
        assert not run.finished
        assert run.tracked[0].tolist() == [True, True, False, False, False, False]


def nan_on_a_frame(folder: Path) -> Path:
    (folder / "floats").mkdir()
    for t, frame in enumerate(moving_video(20, H, W).mean(axis=3).astype(np.float32)):
        if t == 4:
            frame[3, 3] = np.nan
        tifffile.imwrite(folder / "floats" / f"{t}.tif", frame)
    return folder / "floats"


def cut_off_jpg(folder: Path) -> Path:
    file = folder / "video" / "00004.jpg"
    file.write_bytes(file.read_bytes()[:-500])
    return folder / "video"


@pytest.mark.parametrize(("make", "said"), [(nan_on_a_frame, "Frame 4"), (cut_off_jpg, "00004.jpg can't be read")])
def test_a_frame_that_turns_out_unreadable(command, video, tmp_path, make, said):
    """Either it is found before anything is written, or the run that is left says that it is not finished."""
    path = make(tmp_path)
    answer = command("run", path, "--out", tmp_path / "run", *BOX, *SMALL)
    assert answer.code == 2
    assert answer.out == ""
    assert said in answer.sentence
    if (tmp_path / "run").exists():
        run = open_run(tmp_path / "run")
        assert not run.finished
        assert said in run.info["stopped"]
        assert np.flatnonzero(run.tracked[0]).tolist() == [0, 1, 2, 3]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from napari_sam2_probe.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files")
def test_a_system_that_refuses_to_write(video, tmp_path):
    words = ["run", str(video), "--out", str(tmp_path / "run"), *BOX, *SMALL]
    child = subprocess.run([sys.executable, "-c", LIMITED, *words], capture_output=True, text=True, check=False)
    assert child.returncode == 2
    assert child.stderr.splitlines() == [child.stderr.strip()]
    assert "can't be written (File too large)" in child.stderr
    assert not (tmp_path / "run").exists()


def test_a_full_disk(command, video, tmp_path, monkeypatch):
    """A file system with room for the beginning of a run only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        answer = command("run", video, "--out", disk / "run", *BOX, *SMALL)
        assert answer.code == 2
        assert f"The disk is full while writing {disk / 'run'}" in answer.sentence
        assert not (disk / "run").exists() or not open_run(disk / "run").finished
    finally:
        subprocess.run(["umount", str(disk)], check=True)
