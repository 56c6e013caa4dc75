"""Folders of masks in, a table out; what is missing or wrong is said in one sentence."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from PIL import Image

from helpers import layout_trees
from helpers.scenarios import square_mask
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation.metrics import evaluate_folders
from napari_sam2_probe.evaluation.metrics.folders import pair_sequences
from napari_sam2_probe.video.masks import write_mask


def write_sequence(folder, num_frames=5, shape=(40, 50), num_objects=2, shift=0):
    for index in range(num_frames):
        labels = np.zeros(shape, np.uint8)
        for object_id in range(1, num_objects + 1):
            top = 12 * object_id - 10
            labels[top : top + 9, 5 + index + shift : 20 + index + shift] = object_id
        write_mask(folder / f"{index:05d}.png", labels)


@pytest.fixture
def folders(tmp_path):
    for name in ("cat", "dog"):
        write_sequence(tmp_path / "gt" / name)
        write_sequence(tmp_path / "pred" / name, shift=2)
    return tmp_path / "gt", tmp_path / "pred"


def test_the_first_and_last_prediction_are_not_needed(folders):
    truth, predicted = folders
    expected = evaluate_folders(truth, predicted).jf_mean
    (predicted / "cat" / "00000.png").unlink()
    (predicted / "cat" / "00004.png").write_text("not an image")
    assert evaluate_folders(truth, predicted).jf_mean == expected


def test_masks_of_one_sequence_in_the_folder_itself(folders):
    """As an export of a run writes them."""
    truth, predicted = folders
    expected = evaluate_folders(truth, predicted).sequences["cat"]
    flat = predicted.parent / "exported"
    (predicted / "cat").rename(flat)
    named = flat.rename(flat.with_name("cat"))
    for scores in (
        evaluate_folders(truth / "cat", named),
        evaluate_folders(truth, named),
        evaluate_folders(truth, named.rename(named.with_name("exported")), sequences=["cat"]),
    ):
        assert list(scores.sequences) == ["cat"]
        assert [one.region for one in scores.sequences["cat"]] == [one.region for one in expected]


def test_chosen_sequences_alone(folders, capsys):
    truth, predicted = folders
    (predicted / "dog").rename(predicted / "not-dog")
    (truth.parent / "val.txt").write_text("cat\n")
    assert list(evaluate_folders(truth, predicted, sequences=["cat", "cat"]).sequences) == ["cat"]
    assert list(evaluate_folders(truth, predicted, split="val").sequences) == ["cat"]
    assert main(["evaluate", "--gt", str(truth), "--pred", str(predicted), "--sequences", "cat"]) == 0
    assert "cat" in capsys.readouterr().out
    for chosen, said in (
        ({"sequences": ["dog"]}, "not in .*pred: predict it"),
        ({"sequences": ["cats"]}, "Did you mean 'cat'"),
        ({"split": "vel"}, "it has val. Did you mean 'val'"),
        ({"split": "val", "sequences": ["cat"]}, "not both"),
    ):
        with pytest.raises(InputError, match=said):
            evaluate_folders(truth, predicted, **chosen)


def test_progress_counts_scored_frames(folders):
    events = []
    evaluate_folders(*folders, progress=events.append)
    assert [(e.done, e.total) for e in events] == [(n, 6) for n in range(1, 7)]


def test_sparse_ground_truth(folders):
    truth, predicted = folders
    (truth / "cat" / "00002.png").unlink()
    scores = evaluate_folders(truth, predicted)
    assert len(scores.sequences["cat"][0].region_per_frame) == 2


def test_an_object_that_is_never_predicted(folders):
    truth, predicted = folders
    for path in (predicted / "cat").glob("*.png"):
        labels = np.array(Image.open(path))
        write_mask(path, np.where(labels == 2, 0, labels))
    found, lost = evaluate_folders(truth, predicted).sequences["cat"]
    assert found.jf_mean > 0.5
    assert lost.jf_mean == 0


@pytest.mark.parametrize("layout", ["", "Annotations/480p", "Annotations"])
def test_layouts_of_the_ground_truth(tmp_path, layout):
    write_sequence(tmp_path / "root" / layout / "cat")
    write_sequence(tmp_path / "pred" / "cat")
    assert evaluate_folders(tmp_path / "root", tmp_path / "pred").jf_mean == 1


def test_a_whole_list_of_a_davis_root_is_enough(tmp_path):
    for name in ("cat", "dog", "emu"):
        write_sequence(tmp_path / "root" / "Annotations" / "480p" / name)
    (tmp_path / "root" / "ImageSets" / "2017").mkdir(parents=True)
    (tmp_path / "root" / "ImageSets" / "2017" / "val.txt").write_text("emu\ncat\n")
    write_sequence(tmp_path / "pred" / "cat")
    with pytest.raises(InputError, match=r"dog \(and 1 more\)"):
        evaluate_folders(tmp_path / "root", tmp_path / "pred")
    write_sequence(tmp_path / "pred" / "emu")
    assert list(evaluate_folders(tmp_path / "root", tmp_path / "pred").sequences) == ["cat", "emu"]
    for given in (tmp_path / "root" / "Annotations" / "480p", tmp_path / "root" / "Annotations"):
        assert len(pair_sequences(given, tmp_path / "pred")) == 2


class TestCommand:
    def test_table_and_csv(self, folders, tmp_path, capsys):
        truth, predicted = folders
        out = tmp_path / "new" / "scores.csv"
        assert main(["evaluate", "--gt", str(truth), "--pred", str(predicted), "--out", str(out)]) == 0
        with out.open() as file:
            rows = list(csv.DictReader(file))
        assert ",".join(rows[0]) == "sequence,object_id,J_mean,J_recall,J_decay,F_mean,F_recall,F_decay,JF_mean"
        keys = [(row["sequence"], row["object_id"]) for row in rows]
        assert keys == [("cat", "1"), ("cat", "2"), ("dog", "1"), ("dog", "2"), ("global", "")]
        # Boxes of 15 columns, 2 apart.
        assert all(math.isclose(float(row["J_mean"]), 13 / 17) for row in rows)
        assert math.isclose(float(rows[-1]["JF_mean"]), (float(rows[-1]["J_mean"]) + float(rows[-1]["F_mean"])) / 2)
        printed = capsys.readouterr()
        table = printed.out.splitlines()
        assert table[0].split()[:4] == ["sequence", "object", "id", "J"]
        assert len({len(line) for line in table[:8]}) == 1
        assert table[7].startswith("global")
        assert "0.7647" in table[7]

    def refused(self, capsys, truth, predicted, *more):
        assert main(["evaluate", "--gt", str(truth), "--pred", str(predicted), *map(str, more)]) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert message.startswith("sam2-probe: ")
        assert message.endswith(".")
        return message

    def test_folders_that_are_not_there(self, folders, tmp_path, capsys):
        truth, predicted = folders
        assert "no-such" in self.refused(capsys, tmp_path / "no-such", predicted)
        assert "no-such" in self.refused(capsys, truth, tmp_path / "no-such")

    def test_a_folder_without_sequences(self, folders, tmp_path, capsys):
        (tmp_path / "empty").mkdir()
        assert "holds no masks and no folder" in self.refused(capsys, tmp_path / "empty", folders[1])

    def test_masks_of_one_sequence_that_could_be_several(self, folders):
        truth, predicted = folders
        flat = (predicted / "cat").rename(predicted.parent / "cats")
        with pytest.raises(InputError, match=r"--sequences NAME .* Did you mean 'cat'\?"):
            pair_sequences(truth, flat)

    def test_a_missing_sequence(self, folders, tmp_path, capsys):
        truth, predicted = folders
        (predicted / "dog").rename(tmp_path / "elsewhere")
        assert "sequence dog is in" in self.refused(capsys, truth, predicted)

    def test_a_missing_frame(self, folders, tmp_path, capsys):
        truth, predicted = folders
        (predicted / "dog" / "00002.png").unlink()
        out = tmp_path / "scores.csv"
        assert "00002.png is missing" in self.refused(capsys, truth, predicted, "--out", out)
        assert not out.exists()

    def test_another_size(self, folders, capsys):
        truth, predicted = folders
        write_mask(predicted / "dog" / "00003.png", np.ones((20, 30), np.uint8))
        message = self.refused(capsys, truth, predicted)
        assert "30x20" in message
        assert "50x40" in message

    def test_an_object_that_the_ground_truth_lacks(self, folders, capsys):
        truth, predicted = folders
        write_mask(predicted / "dog" / "00003.png", np.full((40, 50), 3, np.uint8))
        assert "the object 3" in self.refused(capsys, truth, predicted)

    def test_predicted_void(self, folders, capsys):
        truth, predicted = folders
        labels = np.full((40, 50), 1, np.uint8)
        labels[0] = 255
        write_mask(predicted / "dog" / "00003.png", labels)
        assert "void pixels (255)" in self.refused(capsys, truth, predicted)

    def test_no_object_at_all(self, folders, capsys):
        truth, predicted = folders
        for path in (truth / "cat").glob("*.png"):
            write_mask(path, np.zeros((40, 50), np.uint8))
        assert "holds an object" in self.refused(capsys, truth, predicted)

    def test_too_short(self, folders, capsys):
        truth, predicted = folders
        for index in (2, 3, 4):
            (truth / "cat" / f"{index:05d}.png").unlink()
        assert "at least 3" in self.refused(capsys, truth, predicted)

    def test_a_mask_that_is_no_image(self, folders, capsys):
        truth, predicted = folders
        (predicted / "dog" / "00001.png").write_text("hello")
        assert "00001.png" in self.refused(capsys, truth, predicted)

    def test_out_is_a_folder(self, folders, tmp_path, capsys):
        assert "is a folder" in self.refused(capsys, *folders, "--out", tmp_path)


def test_void_stays_void_where_no_object_is_left(folders):
    """Ids on the first frame tell that 255 is void on all, also on a frame that holds nothing else."""
    truth, predicted = folders
    void = np.zeros((40, 50), np.uint8)
    void[5:20, 5:20] = 255
    Image.fromarray(void).save(truth / "cat" / "00002.png")
    write_mask(predicted / "cat" / "00002.png", np.zeros((40, 50), np.uint8))
    scores = evaluate_folders(truth, predicted)
    # Both objects are absent from truth and prediction there, which the official evaluation scores 1.
    assert [s.region_per_frame[1] for s in scores.sequences["cat"]] == [1.0, 1.0]


class TestObjectsThatAppearLater:
    """As in YouTube-VOS and LVOS, of which DAVIS's evaluation knows nothing."""

    @pytest.fixture
    def later(self, folders):
        """Object 2 of cat appears on frame 2 of 5."""
        truth, predicted = folders
        for index in (0, 1):
            path = truth / "cat" / f"{index:05d}.png"
            labels = np.array(Image.open(path))
            write_mask(path, np.where(labels == 2, 0, labels))
        return truth, predicted

    def test_are_scored_after_the_frame_they_appear_on(self, later):
        one, two = evaluate_folders(*later).sequences["cat"]
        assert len(one.region_per_frame) == 3
        assert two.object_id == 2
        np.testing.assert_allclose(two.region_per_frame, [13 / 17])

    def test_what_is_predicted_before_does_not_matter(self, later):
        truth, predicted = later
        before = evaluate_folders(truth, predicted).rows()
        path = predicted / "cat" / "00001.png"
        labels = np.array(Image.open(path))
        write_mask(path, np.where(labels == 2, 0, labels))
        assert evaluate_folders(truth, predicted).rows() == before

    def test_too_late_to_be_scored(self, later):
        truth, predicted = later
        for index in (2, 3):
            path = truth / "cat" / f"{index:05d}.png"
            labels = np.array(Image.open(path))
            write_mask(path, np.where(labels == 2, 0, labels))
        # It is on the last frame alone, where nothing is scored, but it is no unknown object either.
        assert [s.object_id for s in evaluate_folders(truth, predicted).sequences["cat"]] == [1]

    def test_nothing_on_the_first_frame(self, folders):
        truth, predicted = folders
        write_mask(truth / "cat" / "00000.png", np.zeros((40, 50), np.uint8))
        assert [len(s.region_per_frame) for s in evaluate_folders(truth, predicted).sequences["cat"]] == [2, 2]


class TestFolderAnObject:
    """As in SA-V: masks of their own, which may overlap."""

    @pytest.fixture
    def per_object(self, tmp_path):
        root = layout_trees.sav(tmp_path / "sav_val")
        for number, make in enumerate((square_mask, layout_trees.second_mask)):
            for t in range(0, 17, 4):
                file = tmp_path / "pred" / "sav_000262" / f"{number:03d}" / f"{t:05d}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(make(t)).save(file)
        return root, tmp_path / "pred"

    def test_perfect_where_objects_overlap(self, per_object):
        root, predicted = per_object
        for truth in (root, root / "Annotations_6fps"):
            scores = evaluate_folders(truth, predicted).sequences["sav_000262"]
            assert [(s.object_id, s.jf_mean, len(s.region_per_frame)) for s in scores] == [(1, 1, 3), (2, 1, 3)]

    def test_predicted_as_label_images(self, per_object, tmp_path):
        root, _ = per_object
        for t in range(0, 17, 4):
            write_mask(tmp_path / "flat" / "sav_000262" / f"{t:05d}.png", layout_trees.labels(t))
        one, two = evaluate_folders(root, tmp_path / "flat").sequences["sav_000262"]
        hidden = [(square_mask(t) & layout_trees.second_mask(t)).sum() / 900 for t in (4, 8, 12)]
        assert one.jf_mean == 1
        np.testing.assert_allclose(two.region_per_frame, 1 - np.array(hidden))

    def test_each_object_has_frames_of_its_own(self, per_object):
        root, predicted = per_object
        (root / "Annotations_6fps" / "sav_000262" / "001" / "00000.png").unlink()
        scores = evaluate_folders(root, predicted).sequences["sav_000262"]
        assert [len(s.region_per_frame) for s in scores] == [3, 2]
        (predicted / "sav_000262" / "001" / "00008.png").unlink()
        with pytest.raises(InputError, match=r"00008\.png is missing"):
            evaluate_folders(root, predicted)

    def test_another_size(self, per_object):
        root, predicted = per_object
        Image.fromarray(np.ones((4, 5), bool)).save(predicted / "sav_000262" / "000" / "00008.png")
        with pytest.raises(InputError, match=r"00008\.png is 5x4 but its ground truth is 160x90"):
            evaluate_folders(root, predicted)


def test_sparse_ground_truth_of_another_frame_rate(tmp_path):
    """Predicted are all frames at 30 fps, scored those that YouTube-VOS annotates."""
    root = layout_trees.youtube_vos(tmp_path / "root")
    for t in range(11):
        for k in range(5 * t, 5 * t + 5):
            write_mask(tmp_path / "pred" / "003234408d" / f"{k:05d}.png", layout_trees.labels(t))
    one, two = evaluate_folders(root / "train", tmp_path / "pred").sequences["003234408d"]
    assert (one.jf_mean, len(one.region_per_frame)) == (1, 9)
    assert (two.jf_mean, len(two.region_per_frame)) == (1, 6)
