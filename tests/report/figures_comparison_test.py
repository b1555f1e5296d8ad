"""Figures that compare: each row in its place, with its numbers."""

import itertools

import evaluated
import numpy as np

from tf_distill.report.figures import comparison

ROWS = evaluated.comparison()["rows"]
MEANS = [row["mean"] for row in ROWS]
TITLES = [row["title"] for row in ROWS]


def titles(axis):
    return [t.get_text().replace("\n", " ") for t in axis.get_yticklabels()]


def test_bars_are_as_long_as_the_accuracies_and_in_the_order_of_the_groups():
    axis = comparison.draw_comparison(ROWS[::-1], 0.8).axes[0]
    ranked, places = comparison.in_groups(ROWS[::-1])
    assert titles(axis) == [row["title"] for row in ranked]
    assert [bar.get_width() for bar in axis.patches] == [row["mean"] for row in ranked]
    middles = [bar.get_y() + bar.get_height() / 2 for bar in axis.patches]
    np.testing.assert_allclose(middles, places)
    original = axis.lines[-1]
    assert original.get_xdata()[0] == 0.8
    assert axis.texts[-1].get_text() == "original data, 80.0"


def test_bars_have_their_deviation_and_their_number_beside_them():
    rows = [evaluated.row("a", "baseline", 0.5), evaluated.row("b", "baseline", 0.6, 1)]
    axis = comparison.draw_comparison(rows).axes[0]
    a = rows[0]
    assert [t.get_text() for t in axis.texts] == [
        f"{100 * a['mean']:.1f} ± {100 * a['std']:.1f}", "60.0"
    ]  # fmt: skip
    (whisker,) = [c for c in axis.collections if len(c.get_paths()) == 1]
    ends = whisker.get_paths()[0].vertices[:, 0]
    np.testing.assert_allclose(ends, [a["mean"] - a["std"], a["mean"] + a["std"]])


def test_groups_are_told_apart_by_colour_and_a_gap():
    rows, places = comparison.in_groups(ROWS)
    assert [row["name"] for row in rows] == [row["name"] for row in ROWS]
    steps = np.diff(places)
    changes = [a["group"] != b["group"] for a, b in itertools.pairwise(rows)]
    np.testing.assert_allclose(steps, np.where(changes, 1 + comparison.GAP, 1))
    bars = comparison.draw_comparison(rows).axes[0].patches
    assert len({bar.get_facecolor() for bar in bars}) == 4


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
