from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.protocols import (
    AnnotationCurve,
    PromptScores,
    draw_annotation_curves,
    draw_prompt_scores,
    make_annotation_curves,
    make_prompt_scores,
)

PROMPTS = ("mask", "box", "1-click", "3-click", "5-click")


@pytest.fixture
def curves(rng):
    def make(*models, objects=5):
        return [
            AnnotationCurve(model, mode, tuple(range(1, 9)), tuple(map(tuple, rng.uniform(0.5, 0.9, (8, objects)))))
            for model in models
            for mode in ("offline", "online")
        ]

    return make


@pytest.fixture
def prompts(rng):
    def make(*models, objects=7):
        return [PromptScores(m, {name: tuple(rng.uniform(0, 1, objects)) for name in PROMPTS}) for m in models]

    return make


def test_a_curve_is_the_mean_over_objects_in_percent(curves):
    (curve, _) = curves("tiny")
    (line, _) = draw_annotation_curves(Figure().subplots(), curves("tiny"))
    assert line.get_xdata().tolist() == list(range(1, 9))
    (line,) = draw_annotation_curves(Figure().subplots(), [curve])
    np.testing.assert_allclose(line.get_ydata(), 100 * np.mean(curve.jf, axis=1))


def test_modes_and_models_are_told_apart(curves):
    lines = draw_annotation_curves(Figure().subplots(), curves("tiny", "large"))
    assert len({line.get_color() for line in lines}) == 2
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-", "--"]
    assert [line.get_label() for line in lines] == ["tiny, offline", "tiny, online", "large, offline", "large, online"]


@pytest.mark.parametrize("models", [("tiny",), ("tiny", "large"), ("tiny", "small", "base+", "large", "Cutie")])
@pytest.mark.parametrize("objects", [1, 60])
def test_layout(curves, prompts, models, objects):
    assert_well_laid_out(make_annotation_curves(curves(*models, objects=objects)))
    assert_well_laid_out(make_prompt_scores(prompts(*models, objects=objects)))


def test_one_number_of_frames(curves):
    curve = AnnotationCurve("tiny", "online", (1,), ((0.5,),))
    figure = make_annotation_curves([curve])
    assert_well_laid_out(figure)
    assert "tiny: mean over 1 object" in sentences(figure)


def test_dots_are_objects_and_numbers_their_means(prompts):
    (model,) = prompts("tiny")
    figure = make_prompt_scores([model])
    text = sentences(figure)
    for values in model.jf.values():
        assert f"{100 * np.mean(values):.1f}" in text
    assert "7 objects" in text
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.sort(dots[-1].get_ydata()), 100 * np.sort(model.jf["mask"]))


def test_prompts_go_from_little_to_much_and_only_those_that_are_there(prompts):
    axes = Figure().subplots()
    tiny = PromptScores("tiny", {"mask": (0.5, 0.6), "1-click": (0.2, 0.3)})
    other = PromptScores("Cutie", {"mask": (0.7, 0.8)})
    handles = draw_prompt_scores(axes, [tiny, other])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1-click", "mask"]
    assert [handle.get_label() for handle in handles] == ["tiny", "Cutie"]
    assert handles[0].get_color() != handles[1].get_color()
