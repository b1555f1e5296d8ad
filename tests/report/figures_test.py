"""Each figure shows the numbers that it is given, in its place; PNGs have a sane size."""

import io
import itertools
import warnings
from types import SimpleNamespace

import evaluated
import matplotlib.image
import numpy as np
import pytest

from tf_distill.core import Samples
from tf_distill.report.figures import classes, comparison, curves, style
from tf_distill.report.figures import samples as samples_
from tf_distill.report.record import distillation_sizes, with_ratios

CLASSES = ("cat", "dog", "cow", "hen")
ROWS = evaluated.comparison()["rows"]


def check_png(figure):
    png = io.BytesIO(style.render(lambda: figure))
    height, width, _ = (pixels := matplotlib.image.imread(png)).shape
    assert 100 < height < 6000
    assert 100 < width < 3000
    assert np.ptp(pixels[..., :3]) > 0.5


def samples(steps, n, shape, outputs=4):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((steps, n, *shape)), rng.standard_normal((steps, n, outputs))
    return Samples(x, y, np.ones(steps))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([0.1, 2.0, -1.0, 0.5], "dog  2.00\nhen  0.50\ncat  0.10"),
        ([0.0, 0.0, 1.0, 0.0], "cow  1.00\ncat  0.00\ndog  0.00"),
        ([1.0, 2.0], "dog  2.00\ncat  1.00"),
        ([-0.256], "-0.26\n0 = cat\n1 = dog"),
        ([1.5], "+1.50\n0 = cat\n1 = dog"),
    ],
)
def test_top_labels(label, expected):
    assert style.top_labels(np.array(label), CLASSES) == expected


LEFT_OUT = "the first 3 of 4 steps; the first 12 of 13 images of a step"


@pytest.mark.parametrize(
    ("steps", "n", "shape", "note"),
    [(3, 4, (32, 32, 3), ""), (1, 12, (28, 28, 1), ""), (4, 13, (4, 4, 1), LEFT_OUT)],
)  # fmt: skip
def test_images_show_samples_with_their_labels_and_tell_what_is_left_out(
    monkeypatch, steps, n, shape, note
):
    monkeypatch.setattr(samples_, "STEPS_SHOWN", 3)
    monkeypatch.setattr(samples_, "IMAGES_SHOWN", 12)
    given = samples(steps, n, shape)
    figure = samples_.draw_images(given, CLASSES)
    (axis,) = figure.axes
    labels = [style.top_labels(y, CLASSES) for y in given.y[:3, :12].reshape(-1, 4)]
    written = [t for t in axis.texts if t.get_text() in labels]
    assert len(axis.images) == len(written) == len(labels) == min(steps, 3) * min(n, 12)
    assert axis.texts[-1].get_text() == note
    for image, text, label in zip(axis.images, written, labels, strict=True):
        assert text.get_text() == label
        left, right, low, _ = image.get_extent()
        x, y = text.get_position()
        assert (x, y) == pytest.approx(((left + right) / 2, low - 0.03))
    check_png(figure)


def test_an_image_is_stretched_to_the_whole_range_but_a_flat_one():
    given = samples(1, 2, (8, 8, 1))
    given.x[0, 1] = 0
    one, flat = (i.get_array() for i in samples_.draw_images(given, CLASSES).axes[0].images)
    assert (one.min(), one.max()) == (0, 1)
    assert not flat.any()


@pytest.mark.parametrize(("steps", "n", "outputs"), [(1, 7, 4), (2, 1, 1), (1, 1, 4)])
def test_embeddings_show_every_sentence_with_its_label(steps, n, outputs):
    given = samples(steps, n, (30, 16), outputs)
    figure = samples_.draw_embeddings(given, CLASSES)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == steps * n
    names = [axis.get_title("left").split("\n")[0] for axis in shown]
    assert names == [f"step {s + 1}, sentence {j + 1}" for s, j in np.ndindex(steps, n)]
    for axis, place in zip(shown, np.ndindex(steps, n), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), given.x[place])
        assert axis.get_title("left").split("\n", 1)[1] == style.top_labels(given.y[place], CLASSES)
    check_png(figure)


@pytest.mark.parametrize("n", [3, 6])
def test_titles_of_sentences_do_not_meet(n):
    names = [f"documentation of {name}" for name in CLASSES]
    figure = samples_.draw_embeddings(samples(1, n, (30, 16)), names)
    figure.draw_without_rendering()
    titles = [axis._left_title.get_window_extent() for axis in figure.axes if axis.images]
    for one, next_ in itertools.pairwise(titles):
        assert one.x1 < next_.x0


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


def test_many_labels_are_cut_to_the_largest_and_the_figure_says_so():
    y = np.zeros((1, 46, 50))
    y[..., 30:] = 0.5  # the classes that are shown
    given = Samples(np.zeros((1, 46, 8, 8, 1)), y, np.ones(1))
    figure = samples_.draw_labels(given, [f"class {i}" for i in range(50)])
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == [f"class {i}" for i in range(30, 50)]
    assert axis.images[0].get_array().shape == (20, 20)
    assert axis.get_xlabel() == "the first 20 of 46 samples; 20 of 50 classes"
    check_png(figure)


def test_a_binary_label_is_one_column():
    axis = samples_.draw_labels(samples(1, 2, (30, 16), 1), CLASSES[:2]).axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["0 = cat, 1 = dog:"]


def test_letters_without_a_font_are_told_in_one_line_and_other_warnings_passed_on(capsys):
    def draw():
        warnings.warn("something else", stacklevel=1)
        return samples_.draw_images(samples(1, 2, (4, 4, 1), 1), ["\U00013000", "\U00013001"])

    with pytest.warns(UserWarning, match="something else") as passed, style.missing_letters_told():
        style.render(draw) + style.render(draw)
    assert len(passed) == 2
    told = "no font for '\U00013000\U00013001' in the figures: install one, such as Noto Sans CJK"
    assert capsys.readouterr().out.splitlines() == [told]


def test_installed_fonts_stand_behind_the_default_one(monkeypatch):
    fonts = [SimpleNamespace(name="Noto Sans CJK JP"), SimpleNamespace(name="Other")]
    monkeypatch.setattr(style.font_manager.fontManager, "ttflist", fonts)
    assert style.families.__wrapped__() == ["DejaVu Sans", "Noto Sans CJK JP"]


# Comparisons


def titles(axis):
    return [t.get_text().replace("\n", " ") for t in axis.get_yticklabels()]


def test_bars_are_as_long_as_the_accuracies_and_in_the_order_of_the_groups():
    axis = comparison.draw_comparison(ROWS[::-1], 0.8).axes[0]
    ranked, places = comparison.in_groups(ROWS[::-1])
    assert titles(axis) == [row["title"] for row in ranked]
    assert [bar.get_width() for bar in axis.patches] == [row["mean"] for row in ranked]
    assert len({bar.get_facecolor() for bar in axis.patches}) == 4
    middles = [bar.get_y() + bar.get_height() / 2 for bar in axis.patches]
    np.testing.assert_allclose(middles, places)
    assert axis.lines[-1].get_xdata()[0] == 0.8
    assert axis.texts[-1].get_text() == "original data, 80.0"


def test_bars_have_their_deviation_and_their_number_beside_them():
    rows = [evaluated.row("a", "baseline", 0.5), evaluated.row("b", "baseline", 0.6, 1)]
    axis = comparison.draw_comparison(rows).axes[0]
    mean, std = rows[0]["mean"], rows[0]["std"]
    words = f"{100 * mean:.1f} ± {100 * std:.1f}"
    assert [t.get_text() for t in axis.texts] == [words, "60.0"]
    (whisker,) = [c for c in axis.collections if len(c.get_paths()) == 1]
    np.testing.assert_allclose(whisker.get_paths()[0].vertices[:, 0], [mean - std, mean + std])


def test_the_distribution_shows_every_network_of_the_rows_that_have_several():
    axis = comparison.draw_distribution(ROWS).axes[0]
    shown = [row for row in ROWS if row["networks"] > 1]
    assert titles(axis) == [row["title"] for row in shown]
    for dots, median, row in zip(axis.collections, axis.lines, shown, strict=True):
        np.testing.assert_array_equal(dots.get_offsets()[:, 0], row["accuracies"])
        assert median.get_xdata()[0] == np.median(row["accuracies"])


def test_the_ranking_has_a_numbered_point_a_variant_and_its_correlations():
    ranking = evaluated.ranking()
    axis = comparison.draw_ranking(ranking).axes[0]
    points = axis.containers[0].lines[0].get_xydata()
    expected = [[v["full"]["mean"], v["distilled"]["mean"]] for v in ranking["variants"]]
    np.testing.assert_allclose(points, expected)
    assert [t.get_text() for t in axis.texts] == ["1", "2", "3"]
    assert axis.get_title("left") == "Spearman 0.83, Kendall 0.70, 3 variants"


def test_the_answers_to_each_class_are_shares_of_its_row():
    answers = [[3, 1, 0, 0], [0, 4, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]]
    axis = classes.draw_confusion(CLASSES, answers).axes[0]
    shares = [[0.75, 0.25, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_array_equal(axis.images[0].get_array(), shares)
    assert [(t.get_position(), t.get_text()) for t in axis.texts] == [
        ((0, 0), "75"), ((1, 0), "25"), ((1, 1), "100"), ((3, 2), "100"),
    ]  # fmt: skip
    assert titles(axis) == [*CLASSES]
    for number in (2, 100):
        check_png(classes.draw_confusion([*map(str, range(number))], np.eye(number)))


# Curves


def labels(axis):
    return [t.get_text() for t in axis.get_legend().get_texts()]


def line(axis, i=0):
    return axis.lines[i].get_xydata()


def test_a_short_history_shows_loss_and_accuracy_as_they_are():
    metrics = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "accuracy": 0.5}]
    loss, accuracy = curves.draw_history(metrics).axes
    assert line(loss).tolist() == [[1, 2], [2, 1]]
    assert line(accuracy).tolist() == [[2, 0.5]]
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss on real data, nats", "accuracy, %")
    assert len(loss.lines) == len(accuracy.lines) == 1


def test_a_long_history_has_its_running_median_and_the_original_accuracy():
    losses = np.random.default_rng(0).exponential(size=500)
    metrics = [{"step": i + 1, "loss": v} for i, v in enumerate(losses)]
    loss, accuracy = curves.draw_history(metrics, 0.9).axes
    np.testing.assert_array_equal(line(loss)[:, 1], losses)
    medians = [np.median(losses[i - 5 : i + 6]) for i in range(5, 495)]
    np.testing.assert_array_equal(line(loss, 1)[5:-5, 1], medians)
    assert labels(loss) == ["median of 11 steps"]
    assert labels(accuracy) == ["original data, 90.0"]


def test_a_history_without_a_line_is_drawn():
    assert len(curves.draw_history([]).axes) == 2


@pytest.mark.parametrize("place", range(6))
def test_running_median_of_a_spike_is_flat_also_at_the_ends(place):
    values = np.ones(6)
    values[place] = 9
    assert curves.running_median(values, 5).tolist() == [1] * 6


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (1, 3), (4, 5), (2, 20)])
def test_learning_rates_tell_the_epochs_apart(steps, epochs):
    lr = np.geomspace(1, 0.5, steps * epochs)
    axis, *others = curves.draw_learning_rates(lr, steps).axes
    np.testing.assert_allclose(line(axis), np.stack([np.arange(len(lr)) + 1, lr], 1))
    parts = axis.lines[1:]
    assert [len(part.get_xydata()) for part in parts] == [steps] * epochs
    np.testing.assert_array_equal(np.concatenate([p.get_ydata() for p in parts]), lr)
    assert len({tuple(part.get_color()) for part in parts}) == epochs
    assert bool(others) == (epochs > 1)
    for bar in others:  # each epoch's number in the middle of its colour
        assert bar.get_ylim() == (0.5, epochs + 0.5)
        assert all(tick == round(tick) for tick in bar.get_yticks())


@pytest.mark.parametrize(("smallest", "scale"), [(0.5, "linear"), (0.001, "log")])
def test_learning_rates_far_apart_have_a_logarithmic_axis(smallest, scale):
    axis = curves.draw_learning_rates(np.array([1.0, smallest]), 1).axes[0]
    assert axis.get_yscale() == scale
    assert axis.yaxis.get_major_formatter()(0.01, 0) in ("0.01", "")


def test_accuracy_after_every_inner_step_has_its_deviation_and_the_ends_of_epochs():
    curve = {"step": list(range(7)), "mean": [0.1 * i for i in range(7)], "std": [0.02] * 7,
             "networks": 20}  # fmt: skip
    axis = curves.draw_inner_accuracy(curve, 2, 0.9).axes[0]
    ends, mean, original = axis.lines[:2], axis.lines[2], axis.lines[3]
    assert [end.get_xdata()[0] for end in ends] == [2, 4]
    np.testing.assert_allclose(mean.get_ydata(), curve["mean"])
    assert original.get_ydata()[0] == 0.9
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((-0.02, 0.62))
    assert labels(axis) == ["ends of epochs", "mean of 20 networks", "original data, 90.0"]


def test_ticks_are_whole_steps_and_accuracies_that_differ():
    metrics = [{"step": i, "loss": 1.0, "accuracy": 0.4998 + i * 1e-5} for i in range(1, 11)]
    figure = curves.draw_history(metrics)
    figure.draw_without_rendering()
    _, accuracy = figure.axes
    assert all(tick == round(tick) for tick in accuracy.get_xticks())
    written = [t.get_text() for t in accuracy.get_yticklabels()]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(("networks", "words"), [(1, "one network"), (20, "mean of 20 networks")])
def test_a_legend_lies_on_no_curve_and_one_network_has_no_deviation(networks, words):
    curve = {"step": [0, 1], "mean": [0.9, 0.1], "std": [0.1, 0.1], "networks": networks}
    figure = curves.draw_inner_accuracy(curve, 1, 0.95)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert bool(axis.collections) == (networks > 1)
    assert labels(axis) == [words, "original data, 95.0"]
    assert axis.get_legend().get_window_extent().y0 >= axis.get_window_extent().y1


def test_sizes_show_accuracies_the_original_and_what_was_reached():
    sizes = with_ratios(evaluated.sweep()["sizes"], 0.8)
    axis = curves.draw_sizes(sizes[::-1], 0.8, distillation_sizes(sizes)).axes[0]
    expected = [[size["samples"], size["mean"]] for size in sizes]
    assert axis.containers[0].lines[0].get_xydata().tolist() == expected
    assert axis.get_xscale() == "log"
    assert [t.get_text() for t in axis.get_xticklabels()] == ["1", "2", "5", "20"]
    assert [(t.get_text(), t.xy) for t in axis.texts] == [
        ("d50, d60", (2, 0.5)), ("d70, d80", (5, 0.7)), ("d90, d95, d97", (20, 0.78))
    ]  # fmt: skip
    assert "original data, 80.0" in labels(axis)


def test_a_sweep_that_has_only_begun_is_drawn():
    sizes = evaluated.sweep()["sizes"][:1]
    assert labels(curves.draw_sizes(sizes).axes[0]) == ["distilled"]
