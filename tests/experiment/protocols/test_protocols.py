"""Protocols give what plain sessions, the evaluation of folders and the paper's words give."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest

from killed_command import run_command, run_killed
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import TEMPORARY
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.evaluation.clicks import next_click
from napari_sam2_probe.evaluation.metrics import evaluate_folders, score_masks
from napari_sam2_probe.evaluation.protocols.images import image_frames
from napari_sam2_probe.evaluation.protocols.interactive import run_interactive
from napari_sam2_probe.evaluation.protocols.jobs import OFFLINE, ONLINE, InteractionOptions
from napari_sam2_probe.evaluation.protocols.predictions import parse_prediction
from napari_sam2_probe.evaluation.protocols.run import ProtocolOptions, run_protocols
from napari_sam2_probe.evaluation.protocols.table import COLUMNS
from napari_sam2_probe.evaluation.protocols.truth import read_objects
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video import DavisDataset
from napari_sam2_probe.video.array import ArraySource

MASK_ONLY = ProtocolOptions(prompts=("mask",), interactive=())


def scores(rows):
    return {(row.prompt, row.sequence, row.object_id): row.scores for row in rows}


@pytest.mark.slow
class TestImages:
    @pytest.fixture(scope="class")
    def rows(self, davis, loaded, tmp_path_factory):
        options = ProtocolOptions(prompts=(), interactive=(), images=("1-click", "5-click"), num_images=2)
        out = tmp_path_factory.mktemp("images") / "new"
        return run_protocols(DavisDataset(davis), out, options, lambda: loaded)

    def test_each_image_is_a_video_of_its_own(self, rows, davis, loaded):
        """A folder that holds the one frame gives the same: no other frame was seen."""
        sequence = DavisDataset(davis).sequence("crossing")
        truth = read_objects(sequence)[0]
        expected = []
        for t in (0, 5):
            alone = ArraySource(sequence.read(t)[None])
            with VideoSession(loaded.model, alone, SessionOptions.for_model(loaded)) as session:
                clicks = give_clicks_by_hand(session, truth.mask(t), 5)
            expected.append(score_masks(truth.mask(t), clicks)[0])
        assert scores(rows)["5-click", "crossing", truth.object_id]["J_mean"] == pytest.approx(np.mean(expected))

    def test_the_mean_is_over_objects(self, rows):
        for prompt in ("1-click", "5-click"):
            own = [r.scores["J_mean"] for r in rows if r.prompt == prompt and r.object_id is not None]
            (mean,) = [r.scores["J_mean"] for r in rows if r.prompt == prompt and r.object_id is None]
            assert len(own) == 4
            assert mean == pytest.approx(np.mean(own))
        assert {r.protocol for r in rows} == {"image"}

    def test_frames_are_spread_over_those_that_show_the_object(self, davis):
        truth = read_objects(DavisDataset(davis).sequence("crossing"))[0]
        assert image_frames(truth, 3) in ([0, 2, 5], [0, 3, 5])
        assert image_frames(truth, 99) == [t for t in range(6) if truth.mask(t).any()]


def give_clicks_by_hand(session, true_mask, number):
    """Click as the protocol says, and return the last mask."""
    points, labels, prediction = [], [], None
    for _ in range(number):
        click = next_click(true_mask, prediction)
        if click is None:
            break
        points.append((click.x, click.y))
        labels.append(int(click.positive))
        result = session.add_prompt(Prompt.from_points(0, 1, points, labels))
        prediction = result.masks()[0]
    return prediction


@pytest.mark.slow
class TestSemiSupervised:
    @pytest.fixture(scope="class")
    def evaluated(self, davis, loaded, tmp_path_factory):
        out = tmp_path_factory.mktemp("out") / "new"
        options = ProtocolOptions(prompts=("mask", "3-click"), interactive=(), keep_masks=True)
        return out, run_protocols(DavisDataset(davis), out, options, lambda: loaded)

    @pytest.mark.parametrize("prompt", ["mask", "3-click"])
    def test_scores_are_those_of_the_evaluation_of_its_masks(self, evaluated, davis, prompt):
        out, rows = evaluated
        expected = evaluate_folders(davis, out / "masks" / "seeded" / prompt).rows()
        found = [
            {"sequence": r.sequence, "object_id": r.object_id or "", **r.scores} for r in rows if r.prompt == prompt
        ]
        assert found == expected

    def test_the_table(self, evaluated):
        out, rows = evaluated
        with (out / "protocols.csv").open() as file:
            table = list(csv.DictReader(file))
        assert tuple(table[0]) == COLUMNS
        assert [(r["prompt"], r["sequence"], r["object_id"]) for r in table] == [
            (prompt, *which)
            for prompt in ("mask", "3-click")
            for which in (("crossing", "1"), ("crossing", "2"), ("passing", "1"), ("passing", "2"), ("global", ""))
        ]
        assert [float(r["JF_mean"]) for r in table] == [r.scores["JF_mean"] for r in rows]
        assert {(r["model"], r["protocol"], r["annotated_frames"]) for r in table} == {
            ("seeded", "semi-supervised", "1")
        }

    def test_masks_are_those_of_one_session_with_all_objects(self, evaluated, davis, loaded):
        out, _ = evaluated
        sequence = DavisDataset(davis).sequence("crossing")
        masks = DavisDataset(davis).sequence("crossing")
        with VideoSession(loaded.model, sequence.frames, SessionOptions.for_model(loaded)) as session:
            for object_id in (1, 2):
                session.add_prompt(Prompt.from_mask(0, object_id, masks.object_mask(0, object_id)))
            labels = [result.labels() for result in session.propagate()]
        from napari_sam2_probe.video import read_mask

        folder = out / "masks" / "seeded" / "mask" / "crossing"
        for t, image in enumerate(labels):
            np.testing.assert_array_equal(read_mask(folder / f"{t:05d}.png"), image)

    def test_clicks_are_noted(self, evaluated):
        out, _ = evaluated
        path = out / "results" / "seeded" / "semi-supervised" / "3-click" / "crossing.json"
        said = json.loads(path.read_text())["prompts"]
        assert [(s["object_id"], s["frame"], len(s["points"])) for s in said] == [(1, 0, 3), (2, 0, 3)]
        # The middle of the square at (20, 30), 30 wide and 25 high.
        assert said[0]["points"][0] == [32, 42]
        assert said[0]["labels"][0] == 1


@pytest.mark.slow
def test_an_object_that_appears_later_is_tracked_and_scored_from_there(lvos, loaded, tmp_path):
    dataset = DavisDataset(lvos, "valid")
    rows = run_protocols(dataset, tmp_path / "out", MASK_ONLY, lambda: loaded)
    sequence = dataset.sequence("0tCWPOrc")
    later = next(truth for truth in read_objects(sequence) if truth.object_id == 2)
    assert (later.first, later.scored) == (2, (3, 4, 5, 6))
    # By itself, in a video that begins where it appears; the first object's claims are taken away afterwards.
    frames = {}
    for object_id, first in ((1, 0), (2, 2)):
        with VideoSession(loaded.model, sequence.frames, SessionOptions.for_model(loaded)) as session:
            session.add_prompt(Prompt.from_mask(first, object_id, sequence.object_mask(first, object_id)))
            for result in session.propagate(start=first):
                frames[object_id, result.frame_idx] = result.mask_logits[0, 0].numpy()
    expected = []
    for t in later.scored:
        own, other = frames[2, t], frames[1, t]
        expected.append(score_masks(later.mask(t), (own > 0) & (own > other)))
    found = scores(rows)["mask", "0tCWPOrc", 2]
    assert found["J_mean"] == pytest.approx(np.mean([j for j, _ in expected]), abs=1e-12)
    assert found["F_mean"] == pytest.approx(np.mean([f for _, f in expected]), abs=1e-12)


@pytest.mark.slow
def test_objects_with_masks_of_their_own_are_scored_by_themselves(sav, loaded, tmp_path):
    options = ProtocolOptions(prompts=("mask",), interactive=(), keep_masks=True)
    rows = run_protocols(DavisDataset(sav), tmp_path / "out", options, lambda: loaded)
    folder = tmp_path / "out" / "masks" / "seeded" / "mask"
    assert len(list((folder / "sav_000262" / "001").glob("*.png"))) == 17
    expected = evaluate_folders(sav, folder).rows()
    assert [r.scores["JF_mean"] for r in rows] == [row["JF_mean"] for row in expected]


class TestInteractive:
    OPTIONS = InteractionOptions(num_frames=3, num_clicks=2)

    @pytest.fixture(scope="class")
    def truth(self, davis):
        return read_objects(DavisDataset(davis).sequence("crossing"))[0]

    def replay(self, loaded, truth, said, *, online):
        """Say the same again, and really stop on a bad frame where the user is online."""
        masks = {}
        with VideoSession(loaded.model, truth.sequence.frames, SessionOptions.for_model(loaded)) as session:
            for place, words in enumerate(said):
                for number in range(1, len(words["points"]) + 1):
                    session.add_prompt(
                        Prompt.from_points(
                            words["frame"], truth.object_id, words["points"][:number], words["labels"][:number]
                        )
                    )
                last = place == len(said) - 1
                end = said[place + 1]["frame"] if online and not last else None
                for result in session.propagate(start=words["frame"] if online else truth.first, end=end):
                    masks[result.frame_idx] = result.masks()[0]
        return masks

    @pytest.mark.slow
    def test_offline_corrects_the_worst_frame_and_tracks_all_again(self, loaded, truth):
        result = run_interactive(loaded, [truth], OFFLINE, self.OPTIONS)
        assert [row.annotated_frames for row in result.rows] == [1, 2, 3]
        frames = [words["frame"] for words in result.prompts]
        assert frames[0] == truth.first
        assert len(set(frames)) == 3
        for number in (1, 2, 3):
            masks = self.replay(loaded, truth, result.prompts[:number], online=False)
            expected = np.mean([score_masks(truth.mask(t), masks[t]) for t in truth.scored], axis=0)
            row = result.rows[number - 1].scores
            np.testing.assert_allclose([row["J_mean"], row["F_mean"]], expected, rtol=0, atol=1e-12)
            if number < 3:
                left = [t for t in truth.annotated if t not in frames[:number]]
                region = {t: score_masks(truth.mask(t), masks[t])[0] for t in left}
                assert frames[number] == min(left, key=region.__getitem__)

    @pytest.mark.slow
    def test_online_is_one_pass_that_stops_at_bad_frames(self, loaded, truth):
        """Seeded weights segment badly, so that every frame asks for a correction."""
        result = run_interactive(loaded, [truth], ONLINE, self.OPTIONS)
        frames = [words["frame"] for words in result.prompts]
        assert frames == [0, 1, 2]
        for number in (1, 2, 3):
            masks = self.replay(loaded, truth, result.prompts[:number], online=True)
            expected = np.mean([score_masks(truth.mask(t), masks[t]) for t in truth.scored], axis=0)
            row = result.rows[number - 1].scores
            np.testing.assert_allclose([row["J_mean"], row["F_mean"]], expected, rtol=0, atol=1e-12)

    def test_a_user_who_is_content_stops(self, loaded, truth):
        result = run_interactive(loaded, [truth], ONLINE, InteractionOptions(3, 2, iou_threshold=0.0))
        assert [words["frame"] for words in result.prompts] == [0]
        assert [row.annotated_frames for row in result.rows] == [1, 2, 3]
        assert len({row.scores["JF_mean"] for row in result.rows}) == 1

    @pytest.mark.slow
    def test_between_annotated_frames_nobody_looks(self, loaded, sav):
        truth = read_objects(DavisDataset(sav).sequence("sav_000262"))[0]
        result = run_interactive(loaded, [truth], ONLINE, self.OPTIONS)
        assert [words["frame"] for words in result.prompts] == [0, 4, 8]


class TestGoingOn:
    OPTIONS = ProtocolOptions(("mask", "1-click"), ("offline",), InteractionOptions(2, 1), ("crossing",))

    @pytest.fixture(scope="class")
    def whole(self, davis, loaded, tmp_path_factory):
        out = tmp_path_factory.mktemp("whole") / "out"
        run_protocols(DavisDataset(davis), out, self.OPTIONS, lambda: loaded)
        return (out / "protocols.csv").read_bytes()

    @pytest.mark.slow
    @pytest.mark.parametrize(("stop_at", "whole_jobs"), [(1, 0), (8, 1), (20, 2)])
    def test_interrupted_and_begun_again_gives_the_same_bytes(
        self, davis, loaded, whole, tmp_path, stop_at, whole_jobs
    ):
        def interrupt(event):
            if event.what == "evaluating" and event.done >= stop_at:
                raise KeyboardInterrupt

        dataset, out = DavisDataset(davis), tmp_path / "out"
        with pytest.raises(KeyboardInterrupt):
            run_protocols(dataset, out, self.OPTIONS, lambda: loaded, progress=interrupt)
        assert not (out / "protocols.csv").exists()
        kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
        assert len(kept) == whole_jobs
        # As a process that is killed leaves it.
        left = out / "results" / "seeded" / f"{TEMPORARY}1.json"
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("{")
        run_protocols(dataset, out, self.OPTIONS, lambda: loaded)
        assert (out / "protocols.csv").read_bytes() == whole
        assert not left.exists()
        assert {path: path.stat().st_mtime_ns for path in kept} == kept

    def test_other_settings_are_refused(self, davis, loaded, tmp_path):
        dataset, out = DavisDataset(davis), tmp_path / "out"
        options = ProtocolOptions(
            prompts=(), interactive=("online",), interaction=InteractionOptions(1, 1), sequences=("passing",)
        )
        run_protocols(dataset, out, options, lambda: loaded)
        with pytest.raises(InputError, match="made with another model or other settings"):
            run_protocols(
                dataset,
                out,
                ProtocolOptions((), ("online",), InteractionOptions(1, 1, 0.5), ("passing",)),
                lambda: loaded,
            )


class TestPredictions:
    @pytest.fixture
    def other(self, davis, tmp_path):
        from napari_sam2_probe.video import write_mask

        for name in ("crossing", "passing"):
            for t in range(6):
                labels = np.roll(DavisDataset(davis).sequence(name).mask(t), 2, axis=1)
                write_mask(tmp_path / "other" / name / f"{t:05d}.png", labels)
        return tmp_path / "other"

    def test_are_in_the_same_table(self, davis, other, tmp_path):
        options = ProtocolOptions((), (), predictions=(parse_prediction(f"Other 2@box={other}"),))
        rows = run_protocols(DavisDataset(davis), tmp_path / "out", options, lambda: pytest.fail("no model is needed"))
        expected = evaluate_folders(davis, other).rows()
        assert [row.scores["JF_mean"] for row in rows] == [row["JF_mean"] for row in expected]
        assert {(row.model, row.protocol, row.prompt) for row in rows} == {("Other 2", "semi-supervised", "box")}

    def test_other_masks_are_scored_again(self, davis, other, tmp_path):
        from napari_sam2_probe.video import write_mask

        options = ProtocolOptions((), (), predictions=(parse_prediction(f"other={other}"),))

        def evaluate():
            return run_protocols(DavisDataset(davis), tmp_path / "out", options, lambda: None)[-1].scores["JF_mean"]

        before = evaluate()
        write_mask(other / "crossing" / "00003.png", DavisDataset(davis).sequence("crossing").mask(3))
        assert evaluate() > before

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("nothing", "give NAME=DIR"),
            ("a/b={}", "give NAME=DIR"),
            ("x@scribble={}", "prompt scribble is not one of"),
            ("x={}/no", "there is no folder"),
        ],
    )
    def test_what_is_no_prediction(self, tmp_path, text, complaint):
        with pytest.raises(InputError, match=complaint):
            parse_prediction(text.format(tmp_path))

    def test_a_missing_mask_is_told_before_anything_is_computed(self, davis, other, tmp_path):
        (other / "passing" / "00002.png").unlink()
        options = ProtocolOptions(predictions=(parse_prediction(f"other={other}"),))
        with pytest.raises(
            InputError, match=r"The predicted mask .*00002\.png is missing: predict every annotated frame"
        ):
            run_protocols(DavisDataset(davis), tmp_path / "out", options, lambda: pytest.fail("too early"))
        assert not (tmp_path / "out").exists()


def test_masks_for_a_server_where_only_the_first_frame_is_annotated(tmp_path, loaded):
    from helpers import layout_trees

    dataset = DavisDataset(layout_trees.mose(tmp_path / "mose", num_frames=4), "valid")
    with pytest.raises(InputError, match="has an object with 3 masks or more"):
        run_protocols(dataset, tmp_path / "out", MASK_ONLY, lambda: loaded)
    options = ProtocolOptions(("mask",), (), keep_masks=True)
    assert run_protocols(dataset, tmp_path / "out", options, lambda: loaded) == []
    written = sorted(path.name for path in (tmp_path / "out/masks/seeded/mask/0a97ec66").iterdir())
    assert written == [f"{t:05d}.png" for t in range(4)]


def test_a_folder_that_holds_something_else_is_left_alone(davis, loaded, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="holds something else already"):
        run_protocols(DavisDataset(davis), tmp_path, MASK_ONLY, lambda: loaded)


@pytest.mark.slow
@pytest.mark.davis
def test_real_footage_with_the_sample_model(davis_root, tmp_path):
    """A mask says more than clicks, and all of it is better than nothing."""
    for part in ("JPEGImages", "Annotations"):
        folder = tmp_path / "davis" / part / "480p" / "car-shadow"
        folder.mkdir(parents=True)
        for file in sorted((davis_root / part / "480p" / "car-shadow").iterdir())[:8]:
            (folder / file.name).symlink_to(file)
    options = ProtocolOptions(("mask", "1-click"), (), keep_masks=True)
    rows = run_protocols(
        DavisDataset(tmp_path / "davis"),
        tmp_path / "out",
        options,
        lambda: load_model(ModelChoice("sample", device="cpu")),
    )
    by_prompt = {row.prompt: row.scores["J_mean"] for row in rows}
    assert 0.1 < by_prompt["1-click"] < by_prompt["mask"] < 0.98
    scores = evaluate_folders(tmp_path / "davis", tmp_path / "out" / "masks" / "sample" / "mask")
    assert scores.region.mean == by_prompt["mask"]


def predicted(davis, tmp_path):
    """Return the words of the command that scores the true masks themselves, which takes no model."""
    masks = f"truth={davis / 'Annotations' / '480p'}"
    out = tmp_path / "out"
    options = ["--prompts", "none", "--interactive", "none", "--predictions", masks]
    return out, ["protocols", "--davis", davis, "--out", out, *options]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_an_evaluation_that_was_killed_in_its_first_writes_goes_on(davis, tmp_path):
    out, words = predicted(davis, tmp_path)
    for name in ("crossing.json", "protocols.csv", "protocols.json"):
        run_killed(name, *words)
        assert list(out.rglob(".sam2-probe-*"))
    done = run_command(*words)
    assert done.returncode == 0, done.stderr
    assert not [*out.rglob(".sam2-probe-*"), *out.rglob(".lock")]
    with (out / "protocols.csv").open() as file:
        assert {row["JF_mean"] for row in csv.DictReader(file)} == {"1.0"}


def test_a_folder_that_holds_only_what_a_killed_evaluation_left_is_used(davis, tmp_path):
    out, words = predicted(davis, tmp_path)
    out.mkdir()
    (out / ".sam2-probe-tmp-abc.json").touch()
    (out / ".lock").touch()
    assert run_command(*words).returncode == 0


def test_two_evaluations_do_not_work_in_one_folder(davis, tmp_path):
    out, words = predicted(davis, tmp_path)
    out.mkdir()
    with exclusive_lock(out, "it"):
        done = run_command(*words)
    assert done.returncode == 2
    assert f"Another process is working on the evaluation in {out}" in done.stderr
    assert not list(out.iterdir())
