"""Draws labelled points on Iris: regions of the classes, pies for the labels, flowers behind."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from iris_points import Flowers, Points, classifier
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Wedge
from PIL import Image

COLORS = ("#E69F00", "#009E73", "#0072B2")  # of Okabe and Ito: told apart by colour-blind eyes
MARKERS = ("s", "o", "^")
INK = "#222222"
WIDTH, HEIGHT = (0.3, 7.4), (-0.65, 3.45)
"""The part of the plane that is drawn, in cm."""
FRAME, LAST = 100, 3000
"""How long a frame of an animation is seen, and the last one, in milliseconds."""


def draw_four_ways(ways: dict[str, list[Points]], rows: Sequence[int], data: Flowers) -> Figure:
    """Figure 3: a column for each way, a row for each of the steps `rows` of optimisation."""
    figure = Figure((7.2, 4.9), layout="constrained", dpi=200)
    axes = figure.subplots(len(rows), len(ways), sharex=True, sharey=True, squeeze=False)
    for column, (way, history) in zip(axes.T, ways.items(), strict=True):
        column[0].set_title(way, fontsize=9, fontweight="bold")
        for axis, name, points in zip(column, names(way, rows), shown(history, rows), strict=True):
            draw_points(axis, points, data, name, radius=0.3)
    finish(figure, data)
    return figure


def draw_two_points(history: list[Points], steps: Sequence[int], data: Flowers) -> Figure:
    """Figure 4: a panel for each of some steps, from left to right."""
    figure = Figure((7.2, 4.7), layout="constrained", dpi=200)
    axes = figure.subplots(2, len(steps) // 2, sharex=True, sharey=True).ravel()
    for axis, step in zip(axes, steps, strict=True):
        draw_points(axis, history[step], data, f"step {step}", radius=0.24)
    finish(figure, data)
    return figure


def animate_four_ways(
    ways: dict[str, list[Points]], steps: Sequence[int], data: Flowers, path: Path
) -> None:
    """Figure 3 as a GIF, a frame for each of some steps; selection changes four times."""
    figure = Figure((7.2, 4.9), layout="constrained", dpi=100)
    axes = dict(zip(ways, figure.subplots(2, 2, sharex=True, sharey=True).ravel(), strict=True))

    def frame(i: int) -> None:
        for way, axis in axes.items():
            history = ways[way]
            drawn = i * len(history) // len(steps) if way == "selection" else steps[i]
            name = f"draw {drawn + 1}" if way == "selection" else f"step {drawn}"
            axis.clear()
            draw_points(axis, history[drawn], data, name, radius=0.24)
            axis.set_title(way, fontsize=10, fontweight="bold")

    _animate(figure, frame, len(steps), data, path)


def animate_two_points(
    history: list[Points], steps: Sequence[int], data: Flowers, path: Path
) -> None:
    """Figure 4 as a GIF, a frame for each of some steps."""
    figure = Figure((6.4, 4.1), layout="constrained", dpi=100)
    axis = figure.subplots()

    def frame(i: int) -> None:
        axis.clear()
        draw_points(axis, history[steps[i]], data, f"step {steps[i]}", radius=0.16, flower=22)

    _animate(figure, frame, len(steps), data, path)


def _animate(
    figure: Figure, frame: Callable[[int], None], count: int, data: Flowers, path: Path
) -> None:
    """Writes the frames `frame(i)` for i below `count`, in the colours of the last one."""
    canvas = FigureCanvasAgg(figure)
    frame(0)
    finish(figure, data)
    canvas.draw()
    figure.set_layout_engine("none")  # from here on the panels stay where they are
    images = []
    for i in range(count):
        frame(i)
        canvas.draw()
        images.append(Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB"))
    colors = images[-1].quantize(96)
    images = [i.quantize(palette=colors, dither=Image.Dither.NONE) for i in images]
    durations = [5 * FRAME] + [FRAME] * (count - 2) + [LAST]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)


def names(way: str, rows: Sequence[int]) -> list[str]:
    """The names of the panels of a column."""
    if way == "selection":
        return [f"draw {i + 1}" for i in range(len(rows))]
    return [f"step {step}" for step in rows]


def shown(history: list[Points], rows: Sequence[int]) -> Iterator[Points]:
    """The points of a column's panels; a history as short as the column is shown whole."""
    return iter(history) if len(history) == len(rows) else (history[step] for step in rows)


def draw_points(
    axis: Axes, points: Points, data: Flowers, name: str, radius: float, flower: float = 7
) -> None:
    """One panel: the regions, the flowers (wrong ones crossed), and a pie for each point."""
    draw_regions(axis, points)
    wrong = classifier(points).predict(data.x) != data.y
    for c, (color, marker) in enumerate(zip(COLORS, MARKERS, strict=True)):
        x = data.x[data.y == c]
        axis.scatter(*x.T, flower, color, marker=marker, alpha=0.55, linewidths=0, zorder=2)
    axis.scatter(*data.x[wrong].T, flower * 1.6, INK, marker="x", linewidths=0.7, zorder=3)
    for place, label in zip(*points, strict=True):
        draw_pie(axis, place, label, radius)
    text = f"{name}: {np.mean(~wrong):.1%}"
    axis.text(
        0.03, 0.95, text, transform=axis.transAxes, va="top", fontsize=8, color=INK, zorder=6,
        path_effects=[patheffects.withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip
    axis.set(xlim=WIDTH, ylim=HEIGHT, aspect="equal", xticks=range(1, 8, 2), yticks=range(4))
    axis.tick_params(labelsize=7, length=2, color=INK)
    axis.spines[:].set(linewidth=0.6, color=INK)


def draw_regions(axis: Axes, points: Points) -> None:
    """Each class's part of the plane: where its probability is above all others."""
    grid = np.meshgrid(np.linspace(*WIDTH, 143), np.linspace(*HEIGHT, 83))
    probabilities = classifier(points).predict_proba(np.stack(grid, -1).reshape(-1, 2))
    for c, color in enumerate(COLORS):
        lead = probabilities[:, c] - np.delete(probabilities, c, 1).max(1)
        if lead.max() <= 0:
            continue
        tint = tuple(1 - 0.28 * (1 - v) for v in to_rgb(color))
        lead = lead.reshape(grid[0].shape)
        axis.contourf(*grid, lead, levels=[0, 1], colors=[tint], zorder=0)
        axis.contour(*grid, lead, levels=[0], colors="white", linewidths=1, zorder=1)


def draw_pie(axis: Axes, place: np.ndarray, label: np.ndarray, radius: float) -> None:
    """A point's label distribution, clockwise from the top."""
    ends = 90 - 360 * np.append(0, np.cumsum(label))
    for end, start, color in zip(ends[1:], ends[:-1], COLORS, strict=True):
        axis.add_patch(Wedge(place, radius, end, start, color=color, linewidth=0, zorder=4))
    axis.add_patch(Circle(place, radius, fill=False, color="white", linewidth=2, zorder=4))
    axis.add_patch(Circle(place, radius, fill=False, color=INK, linewidth=0.9, zorder=5))


def finish(figure: Figure, data: Flowers) -> None:
    """Names of the axes, and a legend, for all panels together."""
    figure.supxlabel("petal length, cm", fontsize=8)
    figure.supylabel("petal width, cm", fontsize=8)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", label=name)
        for color, marker, name in zip(COLORS, MARKERS, data.names, strict=True)
    ]
    handles.append(Line2D([], [], color=INK, marker="x", linestyle="", label="classified wrongly"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False,
        handletextpad=0.2,
    )  # fmt: skip
