"""Registries: what is in a folder of this package, what others announce, what a program registers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from typing import TYPE_CHECKING

import pytest

from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError, PluginWarning
from napari_sam2_probe.transforms.kind import Corruption, Transform, check_described
from napari_sam2_probe.transforms.overlay import base_clip
from napari_sam2_probe.transforms.registry import CORRUPTIONS, KINDS, TRANSFORM_GROUP, Registry, paper_kinds

if TYPE_CHECKING:
    from pathlib import Path

PAPER = ("clean", "interjection", "object-removal", "context-removal", "obscuration", "three-object")
CONTROLS = ("flash", "object-kept", "other-kept", "other-removed", "scene-cut")


class Still(Transform):
    name = "still"
    title = "Still"
    description = "nothing moves"

    def render(self, recipe, footage, options):
        return base_clip(footage, recipe)


@pytest.fixture
def still():
    KINDS.register(Still)
    yield
    KINDS.unregister("still")


def install(folder: Path, name: str, module: str, code: str, points: dict[str, str]) -> None:
    """Write what a package that is installed in a folder consists of."""
    (folder / f"{module}.py").write_text(textwrap.dedent(code))
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{point} = {what}\n" for point, what in points.items())
    (about / "entry_points.txt").write_text(f"[{TRANSFORM_GROUP}]\n{lines}")


MELT = """
    from napari_sam2_probe.transforms.kind import Transform
    from napari_sam2_probe.transforms.overlay import base_clip

    class Melt(Transform):
        name = "melt"
        title = "Melt"
        description = "the frame melts"

        def render(self, recipe, footage, options):
            return base_clip(footage, recipe)
"""


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A registry of kinds that has not looked around yet, and a folder of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    return Registry(
        "kind",
        lambda: Transform,
        "napari_sam2_probe.transforms.kinds",
        TRANSFORM_GROUP,
        check_described,
        lambda kind: (not kind.section, kind.section, kind.name),
    ), tmp_path


def test_the_papers_kinds_come_first_and_keep_their_streams():
    assert tuple(KINDS)[:6] == paper_kinds() == PAPER
    assert [KINDS[name].random_stream for name in PAPER] == [0, 1, 2, 3, 4, 5]
    assert len({KINDS[name].title for name in KINDS}) == len(KINDS)
    assert [name for name in CORRUPTIONS if CORRUPTIONS[name].unfit] == [
        "camera-shake",
        "frame-drop",
        "temporal-reversal",
    ]


def test_a_kind_is_registered_by_hand_and_goes_again(still):
    assert KINDS["still"].title == "Still"
    assert list(KINDS) == [*PAPER, *sorted([*CONTROLS, "still"])]
    # It follows from the name, in every version and on every machine.
    assert KINDS["still"].random_stream == 17087714576530073748
    assert KINDS.register(Still) is Still
    KINDS.unregister("still")
    assert "still" not in KINDS
    with pytest.raises(InputError, match="There is no kind 'still': choose one of clean, interjection"):
        KINDS.find("still")


def altered(**attributes):
    return type("Altered", (Still,), attributes)


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (dict, "is not a kind: give a class that derives from Transform"),
        (type("Hollow", (Transform,), {"name": "hollow", "title": "H", "description": "h"}), "has no render"),
        (altered(name="clean"), "The kind 'clean' is there already"),
        (altered(name="Two words"), "can't be called 'Two words'"),
        (altered(title=""), "Altered needs a title"),
        (altered(description=None), "Altered needs a description"),
        (altered(options_type=dict), "can't hold options: give a dataclass"),
    ],
)
def test_what_cant_be_used_is_refused_in_a_sentence(cls, says):
    with pytest.raises(InputError, match=says):
        KINDS.register(cls)
    with pytest.raises(InputError, match="is not a corruption"):
        CORRUPTIONS.register(cls)
    assert issubclass(Corruption, object)
    assert tuple(KINDS) == (*PAPER, *CONTROLS)


def test_an_installed_package_adds_a_kind_that_is_imported_when_it_is_asked_for(fresh):
    registry, folder = fresh
    install(folder, "melting", "melting_kinds", MELT, {"melt": "melting_kinds:Melt"})
    assert "melt" in registry
    assert registry["clean"].name == "clean"
    assert "melting_kinds" not in sys.modules
    assert registry["melt"].title == "Melt"
    assert list(registry) == [*PAPER, *sorted([*CONTROLS, "melt"])]
    with pytest.raises(InputError, match="The kind 'melt' is there already"):
        registry.register(sys.modules.pop("melting_kinds").Melt)


def test_what_is_broken_is_told_once_and_keeps_nothing_else_from_working(fresh):
    registry, folder = fresh
    points = {"melt": "melting_kinds:Melt", "gone": "melting_kinds:Gone", "frost": "melting_kinds:Melt"}
    install(folder, "melting", "melting_kinds", MELT, points)
    install(folder, "damaged", "damaged_kinds", "import a_module_that_is_not_there", {"damaged": "damaged_kinds:Kind"})
    install(folder, "greedy", "greedy_kinds", "", {"clean": "greedy_kinds:Clean"})
    with pytest.warns(PluginWarning) as told:
        assert list(registry) == [*PAPER, *sorted([*CONTROLS, "melt"])]
    assert sorted(str(warning.message) for warning in told) == [
        "The kind 'clean' of the package greedy is left out: another one has that name.",
        "The kind 'damaged' of the package damaged can't be loaded (ModuleNotFoundError: No module named "
        "'a_module_that_is_not_there'): update or remove that package.",
        "The kind 'frost' of the package melting can't be used: its class says that it is called 'melt'; give both one "
        "name.",
        "The kind 'gone' of the package melting can't be loaded (AttributeError: module 'melting_kinds' has no "
        "attribute 'Gone'): update or remove that package.",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(registry) == [*PAPER, *sorted([*CONTROLS, "melt"])]
    with pytest.raises(InputError, match="'damaged' of the package damaged can't be loaded"):
        registry.find("damaged")
    sys.modules.pop("melting_kinds")


def test_a_broken_package_is_one_line_on_the_command_line(tmp_path):
    install(tmp_path, "damaged", "damaged_kinds", "1 / 0", {"damaged": "damaged_kinds:Kind"})
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from napari_sam2_probe.cli import main; sys.exit(main())"
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "transform", "--help"], capture_output=True, text=True, check=True
    )
    assert child.stderr == (
        "sam2-probe: The kind 'damaged' of the package damaged can't be loaded (ZeroDivisionError: division by zero): "
        "update or remove that package.\n"
    )
    assert "  three-object      three similar" in child.stdout


def test_help_lists_what_is_registered(still, capsys):
    with pytest.raises(SystemExit):
        main(["transform", "--help"])
    assert "  still             nothing moves\n" in capsys.readouterr().out


def test_what_packages_build_on_is_found_by_its_name():
    import napari_sam2_probe.transforms as face

    for name in face.__all__:
        assert getattr(face, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        face.nothing  # noqa: B018
