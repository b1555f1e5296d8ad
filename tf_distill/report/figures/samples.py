"""Figures of the distilled samples themselves: images, embeddings, labels."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tf_distill.common import output_names, shown_part
from tf_distill.core import Samples
from tf_distill.report.figures.style import COLUMN, DPI, PAGE, sheet, top_labels

STEPS_SHOWN, IMAGES_SHOWN, IMAGES_A_ROW = 10, 20, 10
ALONE_SHOWN = 30
"""Images of a set of a single step."""
SENTENCES_SHOWN, SENTENCES_A_ROW = 24, 6
LABELS_SHOWN, CLASSES_SHOWN = 20, 20


def draw_images(samples: Samples, classes: Sequence[str]) -> Figure:
    """Distilled images, step by step, each with its top three classes (Figures 1, 5, 7, 8).

    Learned pixels know no limits, so each image is stretched to the range of grey or colour.
    """
    alone = len(samples.x) == 1
    most, what = (ALONE_SHOWN, "images") if alone else (IMAGES_SHOWN, "images of a step")
    x, y = (np.asarray(v)[:STEPS_SHOWN, :most] for v in (samples.x, samples.y))
    steps, n = x.shape[:2]
    columns, rows = min(n, IMAGES_A_ROW), -(-n // IMAGES_A_ROW)
    cell, margin = PAGE / IMAGES_A_ROW, 0.04 if alone else 0.25
    longest = _longest(top_labels(label, classes) for label in np.concatenate(y))
    size = min(6.5, cell * 72 / (0.6 * longest))
    pitch = cell * 0.92 + 0.08 + 3.8 * size / 72
    hidden = (
        shown_part(STEPS_SHOWN, len(samples.x), "steps"),
        shown_part(most, samples.x.shape[1], what),
    )
    note = "; ".join(filter(None, hidden))
    height = steps * rows * pitch + (0.2 if note else 0.0)
    figure = Figure((margin + columns * cell, height), dpi=DPI)
    axis = figure.add_axes((0, 0, 1, 1))  # one: many axes would take seconds
    axis.axis("off")
    for s in range(steps):
        top = height - s * rows * pitch
        if not alone:
            words = f"step {s + 1}"
            axis.text(0.1, top - cell / 2, words, rotation=90, ha="center", va="center", size=7)
        for j in range(n):
            left = margin + (j % columns + 0.04) * cell
            high = top - (j // columns) * pitch - 0.04
            extent = (left, left + 0.92 * cell, high - 0.92 * cell, high)
            axis.imshow(_stretch(x[s, j]), cmap="gray", interpolation="nearest", extent=extent)
            where = (left + 0.46 * cell, high - 0.92 * cell - 0.03)
            label = top_labels(y[s, j], classes)
            axis.text(*where, label, size=size, linespacing=1.15, ha="center", va="top")
    axis.text(margin, 0.06, note, size=7, va="bottom")
    axis.set(xlim=(0, margin + columns * cell), ylim=(0, height), aspect="auto")
    return figure


def draw_nearest(
    images: Sequence[np.ndarray], real: Sequence[np.ndarray], names: Sequence[str]
) -> Figure:
    """Samples, each over the training example nearest to it; the name of the pair is below.

    Each image is stretched to the range of grey or colour.
    """
    columns = min(len(names), IMAGES_A_ROW)
    rows = -(-len(names) // IMAGES_A_ROW)
    figure = sheet(PAGE * columns / IMAGES_A_ROW, 1.65 * rows)
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for i, (pair, name) in enumerate(zip(zip(images, real, strict=True), names, strict=True)):
        row, column = divmod(i, columns)
        above, below = axes[2 * row : 2 * row + 2, column]
        for axis, image in zip((above, below), pair, strict=True):
            axis.imshow(_stretch(image), cmap="gray", interpolation="nearest")
        below.text(0.5, -0.06, name, size=6.5, ha="center", va="top", transform=below.transAxes)
    return figure


def draw_embeddings(samples: Samples, classes: Sequence[str]) -> Figure:
    """Distilled sentences as heat maps: words down, embedding across (Figures 9, 10)."""
    x, y = (np.asarray(v)[:STEPS_SHOWN] for v in (samples.x, samples.y))
    places = list(np.ndindex(x.shape[:2]))[:SENTENCES_SHOWN]
    columns = min(len(places), SENTENCES_A_ROW)
    rows = -(-len(places) // columns)
    width = max(columns * PAGE / SENTENCES_A_ROW, COLUMN)
    figure = sheet(width, rows * 1.75 + 0.2)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    limit = np.percentile(np.abs(x), 99)
    titles = [f"step {s + 1}, sentence {j + 1}\n{top_labels(y[s, j], classes)}" for s, j in places]
    size = min(6, 72 * (width - 0.8) / columns / (0.62 * _longest(titles)))
    for axis in axes[len(places) :]:
        axis.axis("off")
    for axis, (s, j), title in zip(axes, places, titles, strict=False):
        image = axis.imshow(x[s, j], cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        axis.set_title(title, size=size, loc="left")
        axis.set_yticks([0, x.shape[2] - 1], ["1", str(x.shape[2])])
        axis.set_xticks([0, x.shape[3] - 1], ["1", str(x.shape[3])])
        axis.tick_params(labelsize=6)
        for tick, side in zip(axis.get_xticklabels(), ("left", "right"), strict=True):
            tick.set_ha(side)
    note = shown_part(len(places), len(samples.x) * x.shape[1], "sentences")
    figure.supxlabel("embedding" + (f" ({note})" if note else ""), size=7)
    figure.supylabel("word", size=7)
    bar = figure.colorbar(image, ax=axes.tolist(), fraction=0.02, aspect=30)
    bar.ax.tick_params(labelsize=6)
    return figure


def draw_labels(samples: Samples, classes: Sequence[str]) -> Figure:
    """The label matrix: a row a sample, a column a class, the top class bold (Table 1).

    Of many classes those are shown that have the largest values.
    """
    y = np.asarray(samples.y)
    names = output_names(classes, y.shape[2])
    values = y.reshape(-1, y.shape[2])[:LABELS_SHOWN]
    kept = np.sort(np.argsort(-np.abs(values).max(0))[:CLASSES_SHOWN])
    width, height = 0.6 + 0.34 * len(kept), 0.8 + 0.02 * _longest(names) + 0.2 * len(values)
    figure = sheet(max(COLUMN, min(PAGE, width)), height)
    axis = figure.subplots()
    limit = float(np.abs(values).max()) or 1.0
    image = axis.imshow(values[:, kept], cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    _write_values(axis, values[:, kept], image)
    axis.set_xticks(range(len(kept)), [names[i] for i in kept])
    if len(kept) > 1 and _longest(names) > 4:
        axis.tick_params("x", labelrotation=45)
        for tick in axis.get_xticklabels():
            tick.set(ha="left", rotation_mode="anchor")
    axis.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    steps = len(y) > 1
    rows = [f"{s + 1}.{j + 1}" if steps else f"{j + 1}" for s, j in np.ndindex(y.shape[:2])]
    axis.set_yticks(range(len(values)), rows[: len(values)])
    axis.set_ylabel("step.sample" if steps else "sample")
    axis.spines[:].set_visible(False)
    hidden = (
        shown_part(len(values), len(rows), "samples"),
        f"{len(kept)} of {len(names)} classes" if len(kept) < len(names) else "",
    )
    axis.set_xlabel("; ".join(filter(None, hidden)))
    return figure


def _write_values(axis: Axes, values: np.ndarray, image) -> None:
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            axis.text(
                j, i, f"{value:z.2f}", ha="center", va="center", size=6, in_layout=False,
                color="white" if dark else "black",
                weight="bold" if value == row.max() and len(row) > 1 else "normal",
            )  # fmt: skip


def _longest(texts: Iterable[str]) -> int:
    return max(len(line) for text in texts for line in text.split("\n"))


def _stretch(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [1, 99])
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)
