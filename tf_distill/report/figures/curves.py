"""Figures of one number over another: outer steps, inner steps, sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tf_distill.report.figures import style
from tf_distill.report.figures.style import legend_above, percent_axis, plot, reference


def draw_history(
    metrics: Sequence[dict[str, Any]], original: float | None = None, measure: str = "accuracy"
) -> Figure:
    """The outer loss, each step's and its running median, and the accuracy on the way."""
    figure = style.sheet(style.COLUMN, 3.2)
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    steps, values = _points(metrics, "loss")
    window = max(1, len(values) // 50) // 2 * 2 + 1
    thin: Any = {"linewidth": 0.4, "alpha": 0.45} if window > 1 else {}
    loss.plot(steps, values, color="C0", **thin)
    if window > 1:
        median = running_median(values, window)
        loss.plot(steps, median, color="C0", label=f"median of {window} steps")
        legend_above(loss)
    unit = ", nats" if measure == "accuracy" else ""
    loss.set_ylabel(f"loss on real data{unit}")
    accuracy.plot(*_points(metrics, "accuracy"), color="C1", marker="o", markersize=2.5)
    percent_axis(accuracy, measure=measure)
    reference(accuracy, original)
    if original is not None:
        legend_above(accuracy)
    style.counting_axis(accuracy, "outer step")
    for axis in (loss, accuracy):
        axis.grid()
    return figure


def running_median(values: np.ndarray, window: int) -> np.ndarray:
    """The median of `window` (odd) values around each; beyond the ends they are mirrored."""
    padded = np.pad(values, window // 2, mode="reflect")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)


def draw_learning_rates(lr: np.ndarray, steps: int) -> Figure:
    """The learned learning rates `[epochs * steps]`, each epoch in its own colour."""
    lr = np.asarray(lr)
    epochs = len(lr) // steps
    figure, axis = plot(2.1)
    colours = style.shades(epochs)
    axis.plot(np.arange(len(lr)) + 1, lr, color=style.ink(), alpha=0.3, linewidth=0.6)
    size = 3 if len(lr) < 60 else 1.5
    for e in range(epochs):
        t = np.arange(e * steps, (e + 1) * steps)
        axis.plot(t + 1, lr[t], color=colours[e], marker="o", markersize=size)
    if lr.max() > 20 * lr.min() > 0:
        style.log_axis(axis, "y")
    axis.set_ylabel("learning rate")
    style.counting_axis(axis, "inner step")
    if epochs > 1:
        numbers = matplotlib.colors.Normalize(0.5, epochs + 0.5)
        scale = matplotlib.cm.ScalarMappable(numbers, matplotlib.colors.ListedColormap(colours))
        figure.colorbar(scale, ax=axis, label="epoch", ticks=style.whole_numbers())
    return figure


def draw_inner_accuracy(
    curve: Mapping[str, Any],
    steps: int,
    original: float | None = None,
    measure: str = "accuracy",
) -> Figure:
    """The accuracy on test data after every inner step: mean and deviation over networks.

    Args:
        curve: step (0 is before training), mean, std, and how many networks.
        steps: of an epoch; the ends of the epochs are marked.
        original: the accuracy of training on all of the real data, where it is known.
        measure: the name of what is shown.
    """
    figure, axis = plot(2.2)
    t, mean, std = (np.asarray(curve[name], float) for name in ("step", "mean", "std"))
    ends = np.arange(steps, t[-1], steps)
    if len(ends) <= 20 and steps > 1:
        for i, end in enumerate(ends):
            words = None if i else "ends of epochs"
            axis.axvline(end, color=style.ink(), alpha=0.3, linewidth=0.6, label=words)
    words = f"mean of {curve['networks']} networks" if curve["networks"] > 1 else "one network"
    marker: Any = {"marker": "o", "markersize": 2.5} if len(t) <= 60 else {}
    axis.plot(t, mean, color="C1", label=words, **marker)
    if curve["networks"] > 1:
        axis.fill_between(t, mean - std, mean + std, color="C1", alpha=0.25, linewidth=0)
    reference(axis, original)
    style.counting_axis(axis, "inner step")
    percent_axis(axis, measure=measure)
    legend_above(axis)
    return figure


def draw_sizes(
    sizes: Sequence[Mapping[str, Any]],
    original: float | None = None,
    marks: Mapping[str, int | None] | None = None,
    measure: str = "accuracy",
) -> Figure:
    """Accuracy against the number of distilled samples, with the sizes d_A (Figure 6).

    Args:
        sizes: of sweep.json, each with samples, mean and std.
        original: the accuracy of training on all of the real data, where it is known.
        marks: d_A by A, where they are known.
        measure: the name of what is shown.
    """
    figure, axis = plot(2.5)
    sizes = sorted(sizes, key=lambda size: size["samples"])
    samples = [size["samples"] for size in sizes]
    mean, std = ([size[name] for size in sizes] for name in ("mean", "std"))
    axis.errorbar(samples, mean, std, color="C1", marker="o", markersize=3.5, capsize=2,
                  elinewidth=0.8, label="distilled")  # fmt: skip
    style.counting_axis(axis, "distilled samples")
    if samples[-1] > 15 * samples[0]:
        style.log_axis(axis, "x", samples)
    reference(axis, original)
    _mark_sizes(axis, marks or {}, dict(zip(samples, mean, strict=True)))
    percent_axis(axis, measure=measure)
    legend_above(axis)
    return figure


def _mark_sizes(axis: Axes, marks: Mapping[str, int | None], mean: Mapping[int, float]) -> None:
    """A ring and a name for each size d_A that was reached, one name for the same size."""
    names: dict[int, list[str]] = {}
    for share, size in marks.items():
        if size is not None and size in mean:
            names.setdefault(size, []).append(share)
    for size, shares in names.items():
        axis.plot(size, mean[size], "o", markersize=8, fillstyle="none", color="C0")
        words = ", ".join(f"d{share}" for share in sorted(shares, key=float))
        axis.annotate(words, (size, mean[size]), (6, -4), textcoords="offset points", va="top",
                      size=7, color="C0")  # fmt: skip
    axis.margins(y=0.08)


def _points(metrics: Sequence[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(m["step"], m[name]) for m in metrics if name in m]
    steps, values = np.array(points, float).reshape(-1, 2).T
    return steps, values
