"""Every example runs as it stands, from any folder and twice, and is in the gallery with its picture."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

from napari_sam2_probe.probe.positions import TABLE
from napari_sam2_probe.transforms.registry import KINDS

ROOT = Path(__file__).parents[2]
OWN = "https://github.com/napari-sam2-probe/napari-sam2-probe/blob/main/"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NAMES = [path.stem for path in EXAMPLES]
TWICE = {"arrays_and_tables", "position_of_my_own", "transform_of_my_own"}
"""Those that leave something behind, in the folder or in the program."""

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")


@pytest.fixture
def as_before():
    """What an example registers is taken away again."""
    yield
    TABLE.remove("mask_to_memory")
    KINDS.unregister("dusk")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
@pytest.mark.usefixtures("as_before", "one_thread")
def test_an_example_runs_and_leaves_its_picture(path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    printed = []
    for _ in range(2 if path.stem in TWICE else 1):
        runpy.run_path(str(path), run_name="__main__")
        printed.append(capsys.readouterr().out)
        with Image.open(f"{path.stem}.png") as picture:
            picture.load()
            assert min(picture.size) > 100
        Path(f"{path.stem}.png").unlink()
    assert len(printed[0].splitlines()) > 3
    assert set(printed) == {printed[0]}
    assert {left.name for left in tmp_path.iterdir()} <= {f"{path.stem}_run"}


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_asks_a_question_in_few_lines_through_the_face_alone(path):
    text = path.read_text()
    assert re.match(r'"""[A-Z].*\?"""\n', text)
    assert len(text.splitlines()) <= 40
    assert "import napari_sam2_probe as sp" in text
    assert "napari_sam2_probe." not in text


def test_the_gallery_shows_every_example_and_no_other():
    gallery = (ROOT / "docs" / "gallery.md").read_text()
    assert sorted(re.findall(r"examples/(\w+)\.py\)", gallery)) == NAMES
    assert sorted(re.findall(r"images/gallery/(\w+)\.png", gallery)) == NAMES
    for path in EXAMPLES:
        question = re.match(r'"""(.*)"""', path.read_text())[1]
        assert f"## {question}\n" in gallery
        assert (ROOT / "docs" / "images" / "gallery" / f"{path.stem}.png").stat().st_size < 60_000


def test_the_reference_has_every_public_name():
    import napari_sam2_probe as sp

    page = (ROOT / "docs" / "api" / "face.md").read_text()
    assert sorted(re.findall(r"^::: napari_sam2_probe\.(\w+)$", page, re.MULTILINE)) == sorted(sp.__all__)
    assert all(getattr(sp, name).__doc__ for name in sp.__all__)


@pytest.mark.parametrize("page", [*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if target.startswith(OWN):
            assert (ROOT / target.removeprefix(OWN)).exists(), target
        elif not target.startswith(("https://", "mailto:")):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    navigation = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    docs = ROOT / "docs"
    pages = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md")]
    assert sorted(navigation) == sorted(page for page in pages if not page.startswith("images/"))
