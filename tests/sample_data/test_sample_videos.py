"""What the committed sample videos promise to the code that uses them."""

from itertools import combinations

import numpy as np
from PIL import Image
from skimage.measure import regionprops

NUM_FRAMES = 40
SIZE = (240, 432)


def test_layout(videos):
    assert len(videos.names) >= 6
    folders = {p.name for p in (videos.root / "JPEGImages/480p").iterdir()}
    assert folders == {p.name for p in (videos.root / "Annotations/480p").iterdir()} == set(videos.names)
    for name in videos.names:
        for folder, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".png")):
            files = sorted(p.name for p in (videos.root / folder / "480p" / name).iterdir())
            assert files == [f"{i:05d}{suffix}" for i in range(NUM_FRAMES)]


def test_frames_and_masks_have_one_size_and_kind(videos):
    from tools.make_sample_data.dataset import davis_palette

    assert davis_palette()[:15] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128]
    for name in videos.names:
        for frame_idx in range(NUM_FRAMES):
            with Image.open(videos.root / f"JPEGImages/480p/{name}/{frame_idx:05d}.jpg") as image:
                assert (image.mode, image.size) == ("RGB", SIZE[::-1])
            with Image.open(videos.root / f"Annotations/480p/{name}/{frame_idx:05d}.png") as image:
                assert (image.mode, image.size) == ("P", SIZE[::-1])
                palette = image.getpalette()
                assert palette == davis_palette()[: len(palette)]


def test_the_videos_are_small(videos):
    parts = ("JPEGImages", "Annotations", "ImageSets")
    size = sum(p.stat().st_size for part in parts for p in (videos.root / part).rglob("*") if p.is_file())
    assert size < 5_000_000


def test_every_object_is_visible_in_every_frame(videos):
    several = 0
    for name in videos.names:
        masks = videos.masks(name)
        ids = list(range(int(masks[0].max()) + 1))
        several += len(ids) > 2
        for mask in masks:
            assert list(np.unique(mask)) == ids, name
        for k in ids[1:]:
            assert (masks == k).mean(axis=(1, 2)).min() >= 0.002, (name, k)
    assert several >= 2


def test_every_object_moves(videos):
    for name, k in videos.objects():
        centroids = np.array([np.argwhere(mask == k).mean(axis=0) for mask in videos.masks(name)])
        assert np.linalg.norm(np.diff(centroids, axis=0), axis=1).sum() > 40, (name, k)


def test_most_outlines_are_irregular(videos):
    irregular = set()
    for name, k in videos.objects():
        props = [regionprops((videos.masks(name)[t] == k).astype(np.uint8))[0] for t in (0, 12, 39)]
        solidity = np.mean([p.solidity for p in props])
        compactness = np.mean([p.perimeter**2 / (4 * np.pi * p.area) for p in props])
        if solidity < 0.965 and compactness > 1.15:  # a disk: 1.0 and 1.0
            irregular.add(name)
    assert len(irregular) >= 6, irregular


def test_objects_have_texture(videos):
    for name, k in videos.objects():
        for frame_idx in (0, 20, 39):
            inside = videos.masks(name)[frame_idx] == k
            assert videos.frame(name, frame_idx).mean(axis=2)[inside].std() > 10, (name, k)


def test_the_camera_moves_in_most(videos):
    moving = 0
    for name in videos.names:
        masks = videos.masks(name)
        background = (masks[0] == 0) & (masks[39] == 0)
        change = np.abs(videos.frame(name, 0).astype(int) - videos.frame(name, 39)).mean(axis=2)
        moving += np.median(change[background]) > 4
    assert moving >= 5


def test_sequences_do_not_resemble_each_other(videos):
    """An interjection from another sequence has to be an unrelated one."""

    def colours(name):
        frame = videos.frame(name, 20) // 32
        codes = frame[..., 0].astype(int) * 64 + frame[..., 1] * 8 + frame[..., 2]
        return np.bincount(codes.ravel(), minlength=512) / codes.size

    histograms = {name: colours(name) for name in videos.names}
    for a, b in combinations(videos.names, 2):
        overlap = np.minimum(histograms[a], histograms[b]).sum()
        assert overlap < 0.75, (a, b)


def test_the_cat_leaves_in_part_and_returns(videos):
    at_border = (videos.masks("cat")[:, :, -1] == 1).any(axis=1)
    assert not at_border[[0, -1]].any()
    assert at_border.sum() >= 5


def test_one_coin_hides_part_of_another(videos):
    masks = videos.masks("coins")
    front, back = ((masks == k).sum(axis=(1, 2)) for k in (1, 2))
    crossing = int(back.argmin())
    assert 5 < crossing < 35
    assert back[crossing] < 0.6 * min(back[0], back[-1])
    assert front[crossing] > 0.9 * front[0]
