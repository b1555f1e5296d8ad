"""Figures that compare: baselines, controls, networks, variants of a network."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tf_distill.common import GROUPS, spread
from tf_distill.report.figures.style import COLUMN, ink, percent_axis, plot, reference, sheet

Row = Mapping[str, Any]
COLOURS = dict(zip(GROUPS, ("C1", "C0", "C2", "C3"), strict=True))
GAP = 0.45
"""Between groups, in rows."""


def draw_comparison(
    rows: Sequence[Row], original: float | None = None, measure: str = "accuracy"
) -> Figure:
    """Mean accuracies as bars with their standard deviations (Tables 2, 3, 5)."""
    rows, places = in_groups(rows)
    figure, axis = _rows_figure(rows, places, 0.19)
    beside, above = axis.get_yaxis_transform(), axis.get_xaxis_transform()
    for row, place in zip(rows, places, strict=True):
        mean, std, networks = row["mean"], row["std"], row["networks"]
        axis.barh(place, mean, 0.72, color=COLOURS[row["group"]], alpha=0.85)
        if networks > 1:
            axis.errorbar(mean, place, xerr=std, color=ink(), linewidth=0.8, capsize=1.5)
        words = spread(mean, std, networks, 1)
        axis.text(1.02, place, words, transform=beside, va="center", size=7)
    axis.set_xlim(0, 1)
    percent_axis(axis, "x", measure)
    reference(axis, original, "x")
    if original is not None:
        words = str(axis.lines[-1].get_label())
        axis.text(original, 1.01, words, transform=above, ha="right", va="bottom", size=7)
    return figure


def draw_distribution(rows: Sequence[Row], measure: str = "accuracy") -> Figure:
    """The accuracy of every network, a strip a row of several networks, with its median."""
    rows, places = in_groups([row for row in rows if len(row["accuracies"]) > 1])
    figure, axis = _rows_figure(rows, places, 0.24)
    for row, place in zip(rows, places, strict=True):
        values = np.asarray(row["accuracies"])
        height = np.random.default_rng(0).uniform(-0.32, 0.32, len(values))
        style: Any = {"color": COLOURS[row["group"]], "alpha": 0.45, "linewidth": 0}
        axis.scatter(values, place + height, 5, **style)
        axis.plot([np.median(values)] * 2, [place - 0.42, place + 0.42], color=ink())
    percent_axis(axis, "x", measure, "of each network")
    return figure


def in_groups(rows: Sequence[Row]) -> tuple[list[Row], list[float]]:
    """The rows sorted by their groups, and a place for each, counted from the top."""
    order = list(GROUPS)
    ranked = sorted(rows, key=lambda row: order.index(row["group"]))  # stable
    before = [order.index(row["group"]) for row in ranked]
    gaps = [len(set(before[: i + 1])) - 1 for i in range(len(ranked))]
    return ranked, [i + GAP * gap for i, gap in enumerate(gaps)]


def draw_ranking(ranking: Mapping[str, Any], measure: str = "accuracy") -> Figure:
    """Accuracy after the distilled set and after full training, a numbered point a variant."""
    figure, axis = plot(3.0)
    variants = ranking["variants"]
    full, distilled = ([v[way]["mean"] for v in variants] for way in ("full", "distilled"))
    std = [v["distilled"].get("std", 0.0) for v in variants]
    axis.errorbar(full, distilled, std, fmt="o", markersize=4, elinewidth=0.7, color="C0")
    for number, place in enumerate(zip(full, distilled, strict=True), 1):
        axis.annotate(str(number), place, (4, 3), textcoords="offset points", size=6.5)
    known = [(name, ranking.get(name)) for name in ("spearman", "kendall")]
    words = [f"{name.title()} {value:.2f}" for name, value in known if value is not None]
    axis.set_title(", ".join([*words, f"{len(variants)} variants"]), loc="left")
    percent_axis(axis, "x", measure, "after full training")
    percent_axis(axis, "y", measure, "after the distilled set")
    return figure


def _rows_figure(
    rows: Sequence[Row], places: Sequence[float], height: float
) -> tuple[Figure, Axes]:
    titles = [textwrap.fill(row["title"], 26) for row in rows]
    if any("\n" in title for title in titles):
        height = max(height, 0.27)
    figure = sheet(COLUMN, 0.6 + height * (max(places) + 1))
    axis = figure.subplots()
    axis.set_yticks(places, titles)
    axis.set_ylim(max(places) + 0.6, -0.6)
    axis.tick_params("y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    return figure, axis
