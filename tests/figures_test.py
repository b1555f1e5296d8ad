"""Figures are images of a sane size that show what they should."""

import matplotlib.image
import numpy as np
import pytest

from tf_distill import figures
from tf_distill.inner import Samples

CLASSES = ("cat", "dog", "cow", "hen")


def samples(steps, n, shape, outputs=4):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((steps, n, *shape)), rng.standard_normal((steps, n, outputs))
    return Samples(x, y, np.ones(steps))


def texts(figure):
    return [t.get_text() for axis in figure.axes for t in [*axis.texts, axis.title]]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([0.1, 2.0, -1.0, 0.5], "dog  2.00\nhen  0.50\ncat  0.10"),
        ([0.0, 0.0, 1.0, 0.0], "cow  1.00\ncat  0.00\ndog  0.00"),
        ([-0.256], "dog -0.26"),
        ([1.5], "dog +1.50"),
    ],
)
def test_top_labels(label, expected):
    assert figures.top_labels(np.array(label), CLASSES) == expected


def test_top_labels_of_fewer_classes_than_asked_for():
    assert figures.top_labels(np.array([1.0, 2.0]), CLASSES[:2], most=3) == "dog  2.00\ncat  1.00"


@pytest.mark.parametrize(
    ("steps", "n", "shape"), [(3, 4, (32, 32, 3)), (1, 12, (28, 28, 1)), (11, 2, (8, 8, 1))]
)
def test_images_show_every_sample_of_the_first_ten_steps_with_its_label(steps, n, shape, tmp_path):
    given = samples(steps, n, shape)
    figure = figures.draw_images(given, CLASSES)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == min(steps, 10) * n
    labels = [figures.top_labels(y, CLASSES) for y in given.y[:10].reshape(-1, 4)]
    assert [axis.texts[0].get_text() for axis in shown] == labels
    check_png(figure, tmp_path)


def test_an_image_is_stretched_to_the_whole_range():
    figure = figures.draw_images(samples(1, 1, (8, 8, 1)), CLASSES)
    pixels = figure.axes[0].images[0].get_array()
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_a_flat_image_is_drawn():
    flat = samples(1, 1, (8, 8, 1))._replace(x=np.zeros((1, 1, 8, 8, 1)))
    assert not figures.draw_images(flat, CLASSES).axes[0].images[0].get_array().any()


@pytest.mark.parametrize(("steps", "n", "outputs"), [(1, 6, 4), (1, 2, 1), (4, 3, 4), (1, 1, 4)])
def test_embeddings_show_every_sentence_with_its_label(steps, n, outputs, tmp_path):
    given = samples(steps, n, (30, 16), outputs)
    figure = figures.draw_embeddings(given, CLASSES)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == steps * n
    for axis, x, y in zip(
        shown, given.x.reshape(-1, 30, 16), given.y.reshape(-1, outputs), strict=True
    ):
        np.testing.assert_array_equal(axis.images[0].get_array(), x)
        assert axis.get_title() == figures.top_labels(y, CLASSES)
    check_png(figure, tmp_path)


def test_history_shows_loss_and_accuracy(tmp_path):
    metrics = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "accuracy": 0.5}]
    figure = figures.draw_history(metrics)
    loss, accuracy = (axis.lines[0].get_xydata().tolist() for axis in figure.axes)
    assert loss == [[1, 2], [2, 1]]
    assert accuracy == [[2, 0.5]]
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss on real data, nats", "accuracy"]
    check_png(figure, tmp_path)


def check_png(figure, folder):
    path = folder / "figure.png"
    figures.save(figure, path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    height, width, _ = (pixels := matplotlib.image.imread(path)).shape
    assert 100 < height < 6000
    assert 100 < width < 3000
    assert np.ptp(pixels[..., :3]) > 0.5
    assert [p.name for p in folder.iterdir()] == ["figure.png"]
