"""Curves hold the numbers that they were given."""

import evaluated
import numpy as np
import pytest

from tf_distill.report.figures import curves


def labels(axis):
    return [t.get_text() for t in axis.get_legend().get_texts()] if axis.get_legend() else []


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
    np.testing.assert_array_equal(line(loss, 1)[5:-5, 1], [
        np.median(losses[i - 5 : i + 6]) for i in range(5, 495)
    ])  # fmt: skip
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


def test_one_network_has_no_deviation():
    curve = {"step": [0, 1], "mean": [0.1, 0.9], "std": [0.0, 0.0], "networks": 1}
    axis = curves.draw_inner_accuracy(curve, 1).axes[0]
    assert not axis.collections
    assert labels(axis) == ["one network"]


def test_ticks_are_whole_steps_and_accuracies_that_differ():
    metrics = [{"step": i, "loss": 1.0, "accuracy": 0.4998 + i * 1e-5} for i in range(1, 11)]
    figure = curves.draw_history(metrics)
    figure.draw_without_rendering()
    _, accuracy = figure.axes
    assert all(tick == round(tick) for tick in accuracy.get_xticks())
    written = [t.get_text() for t in accuracy.get_yticklabels()]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("networks", [1, 20])
def test_a_legend_lies_on_no_curve(networks):
    curve = {"step": [0, 1], "mean": [0.9, 0.1], "std": [0.1, 0.1], "networks": networks}
    figure = curves.draw_inner_accuracy(curve, 1, 0.95)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.get_legend().get_window_extent().y0 >= axis.get_window_extent().y1


def test_sizes_show_accuracies_the_original_and_what_was_reached():
    sweep = evaluated.sweep()
    axis = curves.draw_sizes(sweep).axes[0]
    expected = [[s["samples"], s["mean"]] for s in sweep["sizes"]]
    assert axis.containers[0].lines[0].get_xydata().tolist() == expected
    assert axis.get_xscale() == "log"
    assert [t.get_text() for t in axis.get_xticklabels()] == ["1", "2", "5", "20"]
    assert [(t.get_text(), t.xy) for t in axis.texts] == [("d50, d60", (2, 0.5)), ("d80", (5, 0.7))]
    assert "original data, 80.0" in labels(axis)


def test_a_sweep_that_has_only_begun_is_drawn():
    sizes = evaluated.sweep()["sizes"][:1]
    assert labels(curves.draw_sizes({"sizes": sizes}).axes[0]) == ["distilled"]
