"""How the test examples of each class were answered."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from tf_distill.report.figures.style import COLUMN, ink, is_dark, sheet

NUMBERED, NAMED = 12, 60
"""At most so many classes have numbers in their cells, and names at the axes."""


def draw_confusion(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> Figure:
    """The share of each answer (a column) among the answers to each class (a row), in percent."""
    counts = np.asarray(confusion, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(COLUMN, 1.2 + 0.15 * len(names)), 2 * COLUMN)
    figure = sheet(side, side)
    axis = figure.subplots()
    full = rcParams["axes.prop_cycle"].by_key()["color"][0]
    shade = LinearSegmentedColormap.from_list("shade", [to_rgba(full, 0), to_rgba(full, 1)])
    axis.imshow(shares, cmap=shade, vmin=0, vmax=1)
    if len(names) <= NUMBERED:
        paper = "black" if is_dark() else "white"
        for (i, j), share in np.ndenumerate(shares):
            if counts[i, j]:
                colour = paper if share > 0.6 else ink()
                axis.text(
                    j, i, f"{100 * share:.0f}", ha="center", va="center", color=colour, size=6
                )
    if len(names) <= NAMED:
        short = [name if len(name) <= 16 else f"{name[:15]}…" for name in names]
        upright = max(map(len, short)) * len(names) > 40
        axis.set_yticks(range(len(names)), short)
        axis.set_xticks(range(len(names)), short, rotation=90 if upright else 0)
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xlabel("answer")
    axis.set_ylabel("class")
    return figure
