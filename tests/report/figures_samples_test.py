"""Figures are images of a sane size that show what they should."""

import warnings
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest

from tf_distill.core.inner import Samples
from tf_distill.report.figures import samples as samples_
from tf_distill.report.figures import style

CLASSES = ("cat", "dog", "cow", "hen")


def samples(steps, n, shape, outputs=4):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((steps, n, *shape)), rng.standard_normal((steps, n, outputs))
    return Samples(x, y, np.ones(steps))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([0.1, 2.0, -1.0, 0.5], "dog  2.00\nhen  0.50\ncat  0.10"),
        ([0.0, 0.0, 1.0, 0.0], "cow  1.00\ncat  0.00\ndog  0.00"),
        ([-0.256], "-0.26\n0 = cat\n1 = dog"),
        ([1.5], "+1.50\n0 = cat\n1 = dog"),
    ],
)
def test_top_labels(label, expected):
    assert style.top_labels(np.array(label), CLASSES) == expected


def test_top_labels_of_fewer_classes_than_asked_for():
    assert style.top_labels(np.array([1.0, 2.0]), CLASSES[:2], most=3) == "dog  2.00\ncat  1.00"


@pytest.mark.parametrize(
    ("steps", "n", "shape"), [(3, 4, (32, 32, 3)), (1, 12, (28, 28, 1)), (11, 2, (8, 8, 1))]
)
def test_images_show_every_sample_of_the_first_ten_steps_with_its_label(steps, n, shape, tmp_path):
    given = samples(steps, n, shape)
    figure = samples_.draw_images(given, CLASSES)
    (axis,) = figure.axes
    labels = [style.top_labels(y, CLASSES) for y in given.y[:10].reshape(-1, 4)]
    written = [t for t in axis.texts if t.get_text() in labels]
    assert len(axis.images) == len(written) == len(labels) == min(steps, 10) * n
    for image, text, label in zip(axis.images, written, labels, strict=True):
        assert text.get_text() == label
        left, right, low, _ = image.get_extent()
        x, y = text.get_position()
        assert (x, y) == pytest.approx(((left + right) / 2, low - 0.03))
    check_png(figure, tmp_path)


def test_an_image_is_stretched_to_the_whole_range():
    figure = samples_.draw_images(samples(1, 1, (8, 8, 1)), CLASSES)
    pixels = figure.axes[0].images[0].get_array()
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_a_flat_image_is_drawn():
    flat = samples(1, 1, (8, 8, 1))._replace(x=np.zeros((1, 1, 8, 8, 1)))
    assert not samples_.draw_images(flat, CLASSES).axes[0].images[0].get_array().any()


@pytest.mark.parametrize(("steps", "n", "outputs"), [(1, 6, 4), (1, 2, 1), (4, 3, 4), (1, 1, 4)])
def test_embeddings_show_every_sentence_with_its_label(steps, n, outputs, tmp_path):
    given = samples(steps, n, (30, 16), outputs)
    figure = samples_.draw_embeddings(given, CLASSES)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == steps * n
    names = [axis.get_title("left").split("\n")[0] for axis in shown]
    assert names == [f"step {s + 1}, sentence {j + 1}" for s, j in np.ndindex(steps, n)]
    for axis, x, y in zip(
        shown, given.x.reshape(-1, 30, 16), given.y.reshape(-1, outputs), strict=True
    ):
        np.testing.assert_array_equal(axis.images[0].get_array(), x)
        assert axis.get_title("left").split("\n", 1)[1] == style.top_labels(y, CLASSES)
    check_png(figure, tmp_path)


def test_labels_are_a_matrix_with_every_value_and_the_top_class_bold():
    given = samples(2, 3, (8, 8, 1))
    axis = samples_.draw_labels(given, CLASSES).axes[0]
    values = given.y.reshape(6, 4)
    np.testing.assert_array_equal(axis.images[0].get_array(), values)
    cells = {tuple(map(round, t.get_position()[::-1])): t for t in axis.texts}
    assert cells.keys() == set(np.ndindex(6, 4))
    for place, cell in cells.items():
        assert cell.get_text() == f"{values[place]:.2f}"
        assert (cell.get_weight() == "bold") == (values[place] == values[place[0]].max())
    assert [t.get_text() for t in axis.get_xticklabels()] == list(CLASSES)
    rows = [f"{s + 1}.{j + 1}" for s, j in np.ndindex(2, 3)]
    assert [t.get_text() for t in axis.get_yticklabels()] == rows
    assert axis.get_xlabel() == ""


def test_many_labels_are_cut_to_the_largest_and_the_figure_says_so(tmp_path):
    y = np.zeros((1, 46, 50))
    y[..., 30:] = 0.5  # the classes that are shown
    given = Samples(np.zeros((1, 46, 8, 8, 1)), y, np.ones(1))
    figure = samples_.draw_labels(given, [f"class {i}" for i in range(50)])
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == [f"class {i}" for i in range(30, 50)]
    assert axis.images[0].get_array().shape == (20, 20)
    assert axis.get_xlabel() == "the first 20 of 46 samples; 20 of 50 classes"
    check_png(figure, tmp_path)


def test_a_binary_label_is_one_column():
    axis = samples_.draw_labels(samples(1, 2, (30, 16), 1), CLASSES[:2]).axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["0 = cat, 1 = dog:"]


@pytest.mark.parametrize(
    ("steps", "n", "note"),
    [(10, 20, ""), (11, 21, "the first 10 of 11 steps; the first 20 of 21 images of a step")],
)
def test_images_that_are_left_out_are_told(steps, n, note):
    figure = samples_.draw_images(samples(steps, n, (4, 4, 1)), CLASSES)
    assert figure.axes[0].texts[-1].get_text() == note


def test_letters_without_a_font_are_told_in_one_line(capsys):
    given = samples(1, 2, (4, 4, 1), 1)
    with style.missing_letters_told():
        for _ in range(2):
            style.render(lambda: samples_.draw_images(given, ["\U00013000", "\U00013001"]))
    assert capsys.readouterr().out.splitlines() == [
        "no font for '\U00013000\U00013001' in the figures: install one, such as Noto Sans CJK"
    ]


def test_other_warnings_are_passed_on():
    with pytest.warns(UserWarning, match="something else"), style.missing_letters_told():
        warnings.warn("something else", stacklevel=1)


def test_installed_fonts_stand_behind_the_default_one(monkeypatch):
    fonts = [SimpleNamespace(name="Noto Sans CJK JP"), SimpleNamespace(name="Other")]
    monkeypatch.setattr(style.font_manager.fontManager, "ttflist", fonts)
    assert style.families.__wrapped__() == ["DejaVu Sans", "Noto Sans CJK JP"]


def check_png(figure, folder):
    (folder / "figure.png").write_bytes(style.render(lambda: figure))
    height, width, _ = (pixels := matplotlib.image.imread(folder / "figure.png")).shape
    assert 100 < height < 6000
    assert 100 < width < 3000
    assert np.ptp(pixels[..., :3]) > 0.5
