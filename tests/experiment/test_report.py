"""Reports of made-up experiments: all figures and tables are there, data are what is drawn, words hold numbers."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder.file import load_decoder, save_decoder
from napari_sam2_probe.decoder.fit import BoxDecoder
from napari_sam2_probe.decoder.lead import LeadOptions, LeadResult
from napari_sam2_probe.decoder.lead_file import save_lead
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE, install_decoder, lead_path
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.models.checkpoints import SAMPLE_SHA256
from napari_sam2_probe.reports.folder import ReportFolder
from napari_sam2_probe.reports.make import ReportOptions, make_report
from napari_sam2_probe.reports.sections import decoder
from napari_sam2_probe.reports.subject import make_subjects
from napari_sam2_probe.transforms.registry import paper_kinds

pytestmark = pytest.mark.slow

# As little as shows that everything is there.
QUICK = ReportOptions(dpi=40, formats=(), num_resamples=50)
PAPER = [str(number) for number in range(16, 31)]


class PageText(HTMLParser):
    """What a page refers to, its anchors, and its text."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors, self.pictures, self.words = [], set(), 0, []
        self._silent = False
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._silent = tag == "style"
        self.anchors.add(attrs.get("id"))
        self.pictures += tag == "img" and attrs["src"].startswith("data:image/png;base64,")
        self.targets += [attrs["href"]] if "href" in attrs else []

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def assert_whole(index):
    """Every link leads somewhere, nothing is fetched, every picture shows something."""
    page = PageText(index)
    for target in page.targets:
        if target.startswith("#"):
            assert target[1:] in page.anchors, target
        else:
            assert not target.startswith(("http", "/", "file:"))
            assert (index.parent / target).stat().st_size > 20, target
    pictures = sorted((index.parent / "figures").glob("*.png"))
    assert page.pictures == len(pictures)
    for path in pictures:
        with Image.open(path) as image:
            assert np.unique(np.asarray(image.convert("L"))).size > 20, path.name
    assert not re.search(r"\bnan\b|\binf\b|None", page.text)
    return page


MEAN_BOX = np.array([0.2, 0.1, 0.7, 0.9])


def small_decoder(folder, channels=32, off=0.0):
    """Reads the first four channels of a pointer as a box, which is what they are in made-up experiments.

    Its boxes are shifted by `off`. The boxes that it was fitted to have the mean `MEAN_BOX`.
    """
    weights = np.eye(channels, 4)
    made = BoxDecoder(
        "synthetic",
        "0" * 64,
        np.zeros(channels),
        np.ones(channels),
        (weights,),
        (off - MEAN_BOX,),
        MEAN_BOX,
        np.ones(4),
    )
    path = folder / "decoder.safetensors"
    save_decoder(made, path)
    return path


def keep_positions(experiment, *positions):
    """Take the features of other positions away: fewer figures say as much."""
    for path in [*experiment.glob("parts/*.features.parquet"), *experiment.glob("features.parquet")]:
        table = pd.read_parquet(path)
        table[table["position"].isin(positions)].to_parquet(path, index=False)
    return experiment


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """All kinds of the paper, and one control."""
    out = tmp_path_factory.mktemp("one") / "experiment"
    return write_synthetic_experiment(out, kinds=(*paper_kinds(), "object-kept"), samples=4, with_clips=True)


@pytest.fixture(scope="module")
def report(experiment, tmp_path_factory):
    path = small_decoder(tmp_path_factory.mktemp("decoder"))
    out = tmp_path_factory.mktemp("report") / "report"
    command = ["report", str(experiment), "--out", str(out), "--decoder", str(path), "--composites", "never"]
    assert main([*command, "--dpi", "40", "--formats", "", "--resamples", "50"]) == 0
    return out


@pytest.fixture(scope="module")
def page(report):
    return assert_whole(report / "index.html")


def test_every_figure_of_the_paper_that_needs_no_maps_is_there(report, page):
    for number in ["9", "10", "13", "14", "15", *PAPER]:
        assert f"figure-{number}" in page.anchors
        for suffix in ("png", "csv"):
            assert (report / "figures" / f"figure-{number}.{suffix}").is_file()
    for name in ("gate", "separability-overview", "masks-over-time", "reidentification", "segmentation-by-stage"):
        assert name in page.anchors
    assert "figures 7, 8, 11 and 12 are missing" in page.text
    assert "--keep-maps" in page.text


def test_every_table_is_there_in_three_forms(report, page):
    names = (
        "separability",
        "separability-pooled",
        "separability-ordinary",
        "segmentation",
        "false-positives",
        "reidentification",
        "obscuration-correlation",
        "pointer-decoder",
    )
    for name in names:
        for suffix in ("csv", "html", "tex"):
            assert f"tables/{name}.{suffix}" in page.targets
        latex = (report / "tables" / f"{name}.tex").read_text()
        assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 1
        rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", latex).group(1)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
        assert len(rows) > 1


def test_the_csv_beside_a_distribution_holds_the_experiments_numbers(experiment, report):
    drawn = pd.read_csv(report / "figures" / "figure-26.csv", dtype={"position": str})
    features = open_experiment(experiment).features
    rows = features[(features["kind"] == "interjection") & (features["position"] == "4")]
    rows = rows[np.isfinite(rows[["short_term_l2", "long_term_l2", "short_term_ratio"]]).all(axis=1)]
    joined = drawn.merge(rows, on=["clip", "frame"], suffixes=("", "_before"), validate="one_to_one")
    assert len(joined) == len(drawn) == len(rows)
    for column in ("short_term_l2", "long_term_l2", "short_term_ratio"):
        np.testing.assert_allclose(joined[column], joined[f"{column}_before"], rtol=1e-12)
    assert np.isfinite(drawn["combined"]).all()


def test_the_csv_beside_a_timeline_holds_means_over_clips(experiment, report):
    drawn = pd.read_csv(report / "figures" / "figure-16.csv", dtype={"position": str})
    assert drawn["placebo"].any()
    drawn = drawn[~drawn["placebo"]]
    features = open_experiment(experiment).features
    at = features[(features["position"] == "1") & (features["kind"] == "object-removal") & (features["frame"] == 13)]
    row = drawn[(drawn["kind"] == "object-removal") & (drawn["frame"] == 13) & (drawn["feature"] == "short_term_l2")]
    assert row["mean"].item() == pytest.approx(at["short_term_l2"].mean())
    assert row["median"].item() == pytest.approx(at["short_term_l2"].median())


def test_captions_hold_the_numbers_of_their_tables(report, page):
    table = pd.read_csv(report / "tables" / "separability-pooled.csv", dtype={"position": str})
    row = table.query("position == '1' and kind == 'interjection' and feature == 'long_term_l2'")
    said = f"{row['value'].item():.2f} [{row['low'].item():.2f}, {row['high'].item():.2f}]"
    caption = re.search(r"Interjection, position 1, image embedding\. (.*?) PNG", page.text).group(1)
    assert said in caption
    assert re.search(r"16 frames without the object against \d+ frames with it, 4 clips", caption)
    correlations = pd.read_csv(report / "tables" / "obscuration-correlation.csv", dtype={"position": str})
    pearson = correlations.query("kind == 'obscuration' and position == '4' and correlation == 'Pearson'")
    assert f"Pearson {pearson['coefficient'].item():.2f}" in page.text
    assert pearson["coefficient"].item() > 0.8
    assert "The more is covered, the further the pointer is from its twin's." in page.text


def test_the_gate_is_told_from_the_rest(page):
    caption = re.search(r"How much of the separation is the gate\. (.*?) PNG", page.text).group(1)
    gated, raw = (
        float(v) for v in re.search(r"4 and 4r: ([\d.]+) \[.*?\] with the gate and ([\d.]+)", caption).groups()
    )
    assert gated > 0.95
    assert raw < 0.8


def test_decoded_boxes_are_judged(report):
    boxes = pd.read_csv(report / "figures" / "figure-15.csv")
    assert len(boxes) == 8
    table = pd.read_csv(report / "tables" / "pointer-decoder.csv")
    clean = table[table["frames_of"].str.startswith("Clean")]
    assert 0.3 < clean["iou"].item() <= 1


def overlaps(box, boxes):
    """IoU of a box with each of several, written out."""
    left, top = np.maximum(box[0], boxes[:, 0]), np.maximum(box[1], boxes[:, 1])
    right, bottom = np.minimum(box[2], boxes[:, 2]), np.minimum(box[3], boxes[:, 3])
    shared = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return shared / ((box[2] - box[0]) * (box[3] - box[1]) + areas - shared)


def decoder_part(tmp_path, **options):
    """The part of a report on decoded boxes, its table and the boxes drawn, of an experiment of its own."""
    kinds = ("clean", "object-removal")
    experiment = write_synthetic_experiment(tmp_path / "e", kinds=kinds, samples=4, with_clips=True)
    subjects = make_subjects([open_experiment(experiment)], num_resamples=50, seed=0)
    folder = ReportFolder(tmp_path / "r", dpi=40, formats=())
    part = decoder.make(subjects, folder, small_decoder(tmp_path, **options))
    table = pd.read_csv(tmp_path / "r" / "tables" / "pointer-decoder.csv").set_index("frames_of")
    return part, table, pd.read_csv(tmp_path / "r" / "figures" / "figure-15.csv"), subjects[0].results.frames


def test_the_decoders_baseline_is_the_mean_box_on_the_same_frames(tmp_path):
    part, table, drawn, frames = decoder_part(tmp_path)
    edges = ["true_xmin", "true_ymin", "true_xmax", "true_ymax"]
    assert len(table) == 2
    for kind, name in (("clean", "Clean"), ("object-removal", "Object removal")):
        known = ~frames["prompted"].astype(bool) & frames["object_present"].astype(bool)
        truth = frames[known & (frames["kind"] == kind)][edges].to_numpy(float)
        row = table.loc[f"{name} clips, new sequences"]
        assert row["num_frames"] == len(truth) > 0
        assert row["mean_box_iou"] == pytest.approx(overlaps(MEAN_BOX, truth).mean())
        assert row["difference"] == pytest.approx(row["iou"] - row["mean_box_iou"])
        assert row["mean_box_left_error"] == pytest.approx(np.abs(MEAN_BOX[0] - truth[:, 0]).mean())
    np.testing.assert_allclose(drawn["mean_box_iou"], overlaps(MEAN_BOX, drawn[edges].to_numpy(float)))
    caption = part.section.figures[-1].caption
    assert f"the mean box has {drawn['mean_box_iou'].mean():.2f} on the same frames." in caption
    assert part.section.sentences[-1].endswith("decoded boxes are better than always guessing the mean box.")


def test_a_decoder_worse_than_the_mean_box_is_said_to_be_so(tmp_path):
    part, table, _, _ = decoder_part(tmp_path, off=0.5)
    assert (table["difference"] < 0).all()
    assert part.section.sentences[-1].endswith("decoded boxes are worse than always guessing the mean box.")
    assert part.section.figures[-1].caption.endswith("on the same frames, so here the decoder is worse than guessing.")


def test_provenance_is_told(page):
    assert "SHA-256 " + "0" * 64 in page.text
    assert "4 of each kind, seed 0, lengths 12, 4, 12" in page.text
    assert "sam2-probe report" in page.text
    assert "50 resamples" in page.text


def test_one_kind_and_one_clip_only(tmp_path):
    out = keep_positions(write_synthetic_experiment(tmp_path / "one", kinds=("interjection",), samples=1), "1")
    options = replace(QUICK, formats=("pdf", "svg"))
    page = assert_whole(make_report([out], tmp_path / "report", options))
    assert {"figure-16", "figure-18"} <= page.anchors
    assert not {"figure-9", "figure-19"} & page.anchors
    assert {f"figures/figure-18.{suffix}" for suffix in ("png", "pdf", "svg", "csv")} <= set(page.targets)
    assert (
        "without clips of the kinds clean, object removal, context removal, obscuration and three objects" in page.text
    )
    assert "all clips come from one source sequence" in page.text
    assert "No linear combination" in page.text


def test_one_obscured_clip_only(tmp_path):
    out = keep_positions(write_synthetic_experiment(tmp_path / "one", kinds=("clean", "obscuration"), samples=1), "1")
    page = assert_whole(make_report([out], tmp_path / "report", QUICK))
    assert {"figure-9", "figure-10"} <= page.anchors
    assert "one source sequence, so no interval" in page.text


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A half done experiment with missing values, another of the same model, and masks of another system."""
    folder = tmp_path_factory.mktemp("several")
    kinds = ("clean", "interjection")
    positions = ("1", "3", "4r")
    half = write_synthetic_experiment(folder / "half", kinds=kinds, samples=4, skip_batches=("clean-0001",))
    keep_positions(half, *positions)
    for name in ("frames", "features"):
        path = half / "parts" / f"interjection-0001.{name}.parquet"
        table = pd.read_parquet(path)
        numbers = ["region", "boundary", "object_score"] if name == "frames" else list(table.columns[-3:])
        gone = table["clip"] == "interjection-00003"
        table.loc[gone if name == "frames" else gone | (table["position"] == "3"), numbers] = np.nan
        table.to_parquet(path, index=False)
    whole = write_synthetic_experiment(folder / "whole", kinds=("interjection",), samples=2, seed=1)
    keep_positions(whole, *positions)
    write_synthetic_experiment(folder / "xmem", kinds=kinds, samples=2, predictions="XMem")
    return make_report([folder], folder / "report", QUICK)


def test_several_experiments_stand_side_by_side(several):
    page = assert_whole(several)
    # Both are of the same model, so their folders tell them apart.
    assert {"figure-18-synthetic-half", "figure-18-synthetic-whole"} <= page.anchors
    assert several.read_text().count('class="beside"') >= 6
    assert (several.parent / "tables" / "separability-pooled.csv").read_text().count("synthetic (whole)") > 10


def test_a_half_done_experiment_says_so_at_the_top(several):
    text = PageText(several).text
    assert "HALF DONE: synthetic (half) has finished 3 of 4 batches" in text
    assert text.index("HALF DONE") < text.index("At a glance")


def test_masks_of_another_system_beside_models(several):
    page = PageText(several)
    assert "XMem: masks of another system" in page.text
    table = pd.read_csv(several.parent / "tables" / "segmentation.csv")
    assert set(table["experiment"]) == {"XMem", "synthetic (half)", "synthetic (whole)"}
    assert "masks-over-time-xmem" in page.anchors
    assert "figure-16-xmem" not in page.anchors


def with_model(experiment, **about):
    """Have an experiment say that it was tracked with another model."""
    file = experiment / "provenance.json"
    said = json.loads(file.read_text())
    said["model"] |= about
    file.write_text(json.dumps(said))
    return experiment


def warning_of(index):
    """What stands in large letters at the top, and in the figures' files."""
    found = re.search(r'<p class="warning" role="note">(.*?)</p>', index.read_text())
    warning = "" if found is None else html.unescape(found.group(1))
    for path in sorted((index.parent / "figures").glob("*.png")):
        with Image.open(path) as image:
            assert image.info.get("Description", "") == warning
    return warning


@pytest.mark.parametrize("sha256", SAMPLE_SHA256)
def test_the_sample_model_is_named_in_large_letters_whatever_it_is_called(tmp_path, sha256):
    out = keep_positions(write_synthetic_experiment(tmp_path / "e", kinds=("clean",), samples=1), "1")
    # A decoder of another model, lest the one that is shipped is taken for pointers that are made up.
    options = replace(QUICK, decoder=small_decoder(tmp_path))
    index = make_report([with_model(out, checkpoint="sam2.1_hiera_large", sha256=sha256)], tmp_path / "r", options)
    warning = warning_of(index)
    assert warning.startswith("THE MODEL IS THE SAMPLE MODEL, A TOY. THESE ARE NOT SAM 2'S WEIGHTS")
    assert index.read_text().index('class="warning"') < index.read_text().index("<section")
    assert "the sample model, a toy: not SAM 2's weights)" in assert_whole(index).text


def test_other_weights_are_no_sample_model_whatever_they_are_called(tmp_path):
    out = keep_positions(write_synthetic_experiment(tmp_path / "e", kinds=("clean",), samples=1), "1")
    assert warning_of(make_report([with_model(out, checkpoint="sample")], tmp_path / "r", QUICK)) == ""


def test_random_weights_are_named_in_large_letters(tmp_path):
    out = keep_positions(write_synthetic_experiment(tmp_path / "e", kinds=("clean",), samples=1), "1")
    index = make_report([with_model(out, sha256=None, trained=False)], tmp_path / "r", QUICK)
    assert warning_of(index).startswith("THE MODEL IS NOT TRAINED.")


def test_of_several_models_the_toys_are_named(tmp_path):
    places = [write_synthetic_experiment(tmp_path / name, kinds=("clean",), samples=1) for name in ("one", "two")]
    keep_positions(with_model(places[0], checkpoint="mine", sha256=SAMPLE_SHA256[0]), "1")
    keep_positions(places[1], "1")
    warning = warning_of(make_report(places, tmp_path / "r", replace(QUICK, decoder=small_decoder(tmp_path))))
    assert warning.startswith("THE MODEL OF mine IS THE SAMPLE MODEL, A TOY.")


def test_nothing_is_done_yet(tmp_path):
    out = write_synthetic_experiment(tmp_path / "begun", kinds=("clean",), samples=2, skip_batches=("clean-0000",))
    page = assert_whole(make_report([out], tmp_path / "report", QUICK))
    assert "Nothing is done yet" in page.text


def test_results_of_protocols_are_shown(tmp_path):
    folder = tmp_path / "protocols"
    folder.mkdir()
    (folder / "protocols.csv").write_text(
        "model,protocol,prompt,annotated_frames,sequence,object_id,J_mean,JF_mean\n"
        "tiny,semi-supervised,1 click,1,cat,1,0.5,0.51\n"
        "tiny,semi-supervised,1 click,1,global,,0.625,0.631\n"
    )
    page = assert_whole(make_report([folder], tmp_path / "report", QUICK))
    assert "0.631" in page.text
    assert "0.510" not in page.text
    assert warning_of(tmp_path / "report" / "index.html") == ""
    about = {"model": {"checkpoint": "tiny", "sha256": SAMPLE_SHA256[0], "trained": True}}
    (folder / "protocols.json").write_text(json.dumps(about))
    make_report([folder], tmp_path / "report", QUICK)
    assert "THE SAMPLE MODEL, A TOY" in warning_of(tmp_path / "report" / "index.html")


def test_the_effort_of_annotation_is_told(tmp_path):
    folder = tmp_path / "protocols"
    folder.mkdir()
    lines = ["model,protocol,prompt,annotated_frames,sequence,object_id,J_mean,JF_mean"]
    lines += [
        f"tiny,interactive-offline,3-click,{n},global,,{jf},{jf}" for n, jf in enumerate((0.5, 0.74, 0.75, 0.7), 1)
    ]
    lines += [f"tiny,interactive-online,1-click,{n},global,,0.6,0.6" for n in (1, 2)]
    lines += ["tiny,semi-supervised,mask,1,global,,0.9,0.9"]
    (folder / "protocols.csv").write_text("\n".join(lines) + "\n")
    make_report([folder], tmp_path / "report", QUICK)
    effort = pd.read_csv(tmp_path / "report" / "tables" / "protocols-effort.csv")
    assert list(effort["protocol"]) == ["interactive-offline", "interactive-online"]
    # Three frames of one second and three clicks of one and a half.
    assert (effort.loc[0, "frames_needed"], effort.loc[0, "seconds"]) == (3, 16.5)
    assert effort.loc[1, ["frames_needed", "seconds"]].isna().all()
    assert "more than 2" in PageText(tmp_path / "report" / "index.html").text


def test_an_earlier_report_is_replaced_and_nothing_else(tmp_path, capsys):
    experiment = write_synthetic_experiment(tmp_path / "e", kinds=("clean",), samples=1, predictions="XMem")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    assert main(["report", str(experiment), "--out", str(tmp_path / "mine")]) == 2
    assert "not a report" in capsys.readouterr().err
    for _ in range(2):
        make_report([experiment], experiment / "report", QUICK)
        (experiment / "report" / "tables" / "notes.txt").write_text("keep me")
    assert (experiment / "report" / "index.html").is_file()
    assert (experiment / "report" / "tables" / "notes.txt").read_text() == "keep me"
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "no experiment" in capsys.readouterr().err
    assert main(["report", str(experiment), "--formats", "bmp"]) == 2


def test_a_decoder_of_another_model_is_not_used(tmp_path):
    experiment = keep_positions(write_synthetic_experiment(tmp_path / "e", kinds=("clean",), samples=1), "1")
    path = small_decoder(tmp_path)
    save_decoder(replace(load_decoder(path), sha256="1" * 64), path)
    page = assert_whole(make_report([experiment], tmp_path / "report", replace(QUICK, decoder=path)))
    assert "figures 14 and 15" in page.text
    assert "was fitted for the checkpoint" in page.text
    with pytest.raises(InputError, match="no decoder"):
        make_report([experiment], tmp_path / "other", ReportOptions(decoder=tmp_path / "none.safetensors"))


def test_the_lead_of_a_checkpoint_is_shown(tmp_path, monkeypatch):
    """Measured by its own command and kept where decoders are; without it the page says how to get it."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "own"))
    experiment = keep_positions(write_synthetic_experiment(tmp_path / "exp", kinds=("clean",), samples=1), "1")
    sha256 = "0" * 64
    install_decoder(load_decoder(small_decoder(tmp_path)))
    page = assert_whole(make_report([experiment], tmp_path / "without", QUICK))
    assert "lead the motion was not measured: run 'sam2-probe decoder lead" in page.text
    motion = Estimate(0.0061, 0.0021, 0.0101, 3)
    leads = np.array([0.01, 0.02, -0.003])
    frames, speed, known = np.full(3, 20), np.full(3, 0.01), np.zeros(3, bool)
    rest = (motion, motion, motion, motion, known, "synthetic", sha256, LeadOptions())
    save_lead(LeadResult(("apple", "brick", "cloud"), leads, leads[::-1], frames, speed, *rest), lead_path(sha256))
    page = assert_whole(make_report([experiment], tmp_path / "with", QUICK))
    assert "0.61 [0.21, 1.01] %: the decoded centre leads the motion." in page.text
    assert "ahead in 2 of 3" in page.text
    table = pd.read_csv(tmp_path / "with" / "figures" / "lead.csv")
    assert table["forward"].tolist() == leads.tolist()
    assert len(pd.read_csv(tmp_path / "with" / "tables" / "lead.csv")) == 4
