"""The script that makes the sample videos."""

import numpy as np
import pytest
from PIL import Image

from tools.make_sample_data.cutouts import Cutout, cut, inside, mirror_tiles, snap_to_edges, tint
from tools.make_sample_data.dataset import readme, write_frame
from tools.make_sample_data.motion import Lighting, Path, Pose, Wobble
from tools.make_sample_data.photographs import PHOTOGRAPHS, load
from tools.make_sample_data.rendering import Actor, Scene, Shadow, render
from tools.make_sample_data.scenes import SCENES, SIZE, scene

EVEN_LIGHT = Lighting(drift=0, vignette=0)


@pytest.mark.parametrize(("name", "frame_idx"), [("coins", 17), ("cells", 25), ("horse", 6)])
def test_rendering_again_gives_the_committed_video(videos, tmp_path, name, frame_idx):
    frame, labels = render(scene(name), frame_idx, SIZE)
    write_frame(tmp_path, name, frame_idx, frame, labels)
    with Image.open(tmp_path / f"JPEGImages/480p/{name}/{frame_idx:05d}.jpg") as image:
        again = np.asarray(image).astype(int)
    np.testing.assert_array_equal(labels, videos.masks(name)[frame_idx])
    # Another version's JPEG encoder may round differently; the pinned one doesn't.
    assert np.abs(again - videos.frame(name, frame_idx)).mean() < 0.3


def test_rendering_does_not_depend_on_what_was_rendered_before():
    first = render(scene("coins"), 9, (60, 108))
    render(scene("coins"), 30, (60, 108))
    again = render(SCENES["coins"](), 9, (60, 108))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_readme_is_the_one_that_the_script_writes(videos):
    text = (videos.root / "README.md").read_text(encoding="utf-8")
    assert text == readme(videos.names)
    assert all(p.file in text and p.credit in text and p.licence in text for p in PHOTOGRAPHS.values())


def test_every_photograph_ships_with_scikit_image():
    for name in PHOTOGRAPHS:
        photo = load(name)
        assert photo.dtype == np.float32
        assert photo.ndim == 3
        assert 0 <= photo.min() < photo.max() <= 1


def _disk(radius=20, shape=(80, 100)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (y - 40) ** 2 + (x - 50) ** 2 <= radius**2


def test_an_outline_snaps_to_the_edge():
    image = np.where(_disk()[..., None], 0.9, 0.2).astype(np.float32) * np.ones(3, np.float32)
    rough = inside([(50 + 23 * np.cos(a), 41 + 22 * np.sin(a)) for a in np.arange(0, 6.2, 0.7)], (80, 100))
    snapped = snap_to_edges(image, rough, 6)
    assert (rough ^ _disk()).sum() > 150
    assert (snapped ^ _disk()).sum() < 70  # within half a pixel along the border


def test_a_cutout_takes_no_background_along():
    image = np.where(_disk()[..., None], [1.0, 0.5, 0.0], [0.0, 0.0, 1.0]).astype(np.float32)
    rgba = cut(image, _disk(), 41).rgba
    seen = rgba[..., 3] > 0.02
    np.testing.assert_allclose(rgba[..., 2][seen], 0, atol=1e-3)
    np.testing.assert_allclose(rgba[..., 0][seen], rgba[..., 3][seen], atol=1e-3)
    assert rgba[..., 3].sum() == pytest.approx(_disk().sum(), rel=0.02)
    assert max(rgba[[0, -1]].max(), rgba[:, [0, -1]].max()) < 1e-3


def test_a_cutout_has_the_height_asked_for():
    rgba = cut(np.ones((80, 100, 3), np.float32), _disk(), 90).rgba
    assert np.count_nonzero((rgba[..., 3] > 0.5).any(axis=1)) == pytest.approx(90, abs=3)


def test_tiles_meet_without_a_seam():
    tiled = mirror_tiles(np.random.default_rng(0).random((4, 5, 3), dtype=np.float32), 2, 3)
    assert tiled.shape == (8, 15, 3)
    np.testing.assert_array_equal(tiled[3], tiled[4])
    np.testing.assert_array_equal(tiled[:, 4], tiled[:, 5])


def test_tint_maps_black_and_white():
    dark, light = (0.1, 0.2, 0.3), (0.9, 0.8, 0.7)
    ramp = np.stack([np.zeros((1, 3)), np.ones((1, 3))], axis=1).astype(np.float32)
    np.testing.assert_allclose(tint(ramp, dark, light), [[dark, light]], atol=1e-6)


def test_a_path_runs_through_its_keys():
    keys = ((0, 1.0, 2.0, 1.0, 0.0), (7, 30.0, -4.0, 1.5, 90.0), (20, 5.0, 5.0, 0.5, -30.0))
    for frame, *pose in keys:
        assert Path(keys).at(frame) == Pose(*pose)
    assert Path(keys[:1]).at(13) == Pose(1, 2, 1, 0)


def _square(side, colour):
    rgba = np.zeros((side + 6, side + 6, 4), np.float32)
    rgba[3:-3, 3:-3] = (*colour, 1)
    return Cutout(rgba)


def _still(x, y, scale=1.0, angle=0.0):
    return Path(((0, x, y, scale, angle),))


def test_masks_show_the_visible_part_and_shadows_are_no_object():
    scene_ = Scene(
        "two",
        np.full((90, 120, 3), 0.5, np.float32),
        _still(59.5, 44.5),
        (
            Actor(_square(30, (1, 0, 0)), _still(50, 45), object_id=1, shadow=Shadow()),
            Actor(_square(20, (0, 1, 0)), _still(65, 45), object_id=2),
            Actor(_square(8, (0, 0, 1)), _still(20, 45), object_id=0, additive=True),
        ),
        EVEN_LIGHT,
    )
    frame, labels = render(scene_, 0, (90, 120))
    assert (labels == 2).sum() == pytest.approx(400, rel=0.1)
    assert (labels == 1).sum() == pytest.approx(900 - 20 * 10, rel=0.1)
    assert (frame[labels == 1][:, 0] > 120).all()
    assert tuple(frame[45, 65]) == (0, 255, 0)
    assert labels[45, 20] == 0
    assert frame[45, 20, 2] == 255
    assert frame[64, 55, 0] < 110  # the shadow, under the red square
    assert labels[64, 55] == 0


def test_the_camera_moves_what_is_in_the_world_only():
    def centre(in_world):
        camera = Path(((0, 100, 60, 1, 0), (10, 110, 60, 2, 0)))
        actor = Actor(_square(9, (1, 1, 1)), _still(112, 60), in_world=in_world)
        scene_ = Scene("one", np.zeros((120, 200, 3), np.float32), camera, (actor,), EVEN_LIGHT)
        return np.argwhere(render(scene_, 10, (120, 160))[1]).mean(axis=0)

    # 2 px right of what the camera looks at, zoomed 2 times; (the shutter is open after the moment of the frame)
    np.testing.assert_allclose(centre(in_world=True), [59.5, 79.5 + 4], atol=1.5)
    np.testing.assert_allclose(centre(in_world=False), [60, 112], atol=0.1)


def test_motion_blur_softens_along_the_motion():
    def widths(speed):
        actor = Actor(_square(20, (1, 1, 1)), Path(((0, 40, 40, 1, 0), (10, 40 + 10 * speed, 40, 1, 0))))
        scene_ = Scene("one", np.zeros((80, 160, 3), np.float32), _still(79.5, 39.5), (actor,), EVEN_LIGHT)
        lit = (render(scene_, 2, (80, 160))[0][..., 0] > 10).astype(int)
        return lit.sum(axis=1).max(), lit.sum(axis=0).max()

    still, moving = widths(0), widths(8)
    assert moving[0] >= still[0] + 2
    assert moving[1] == still[1]


def test_wobble_bends_the_outline_a_little():
    x, y = np.meshgrid(np.arange(40.0), np.arange(30.0))
    u, v = Wobble(2, 20, 10).displace(x, y, 3)
    shift = np.hypot(u - x, v - y)
    assert 1 < shift.max() <= 3 * np.sqrt(2)
    assert shift.std() > 0.2
