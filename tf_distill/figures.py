"""The figures of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tf_distill import files
from tf_distill.inner import Samples

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind eyes
STEPS_SHOWN = 10
IMAGES_SHOWN = 20
matplotlib.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})


def top_labels(label: np.ndarray, classes: Sequence[str], most: int = 3) -> str:
    """A label `[outputs]` in words: the top classes with their values, one a line.

    For a binary task that is the one logit.
    """
    if len(label) == 1:
        return f"{classes[1]} {label[0]:+.2f}"
    order = np.argsort(-label)[:most]
    return "\n".join(f"{classes[i]}  {label[i]:.2f}" for i in order)


def draw_images(samples: Samples, classes: Sequence[str]) -> Figure:
    """Distilled images, a row a step, each with its top three classes (Figures 1, 5, 7, 8).

    Args:
        samples: the distilled set.
        classes: their names.

    Learned pixels know no limits, so each image is stretched to the range of grey or colour.
    """
    pixels = np.asarray(samples.x)[:, :IMAGES_SHOWN]
    steps, columns = min(len(pixels), STEPS_SHOWN), min(pixels.shape[1], 10)
    rows = steps * -(-pixels.shape[1] // columns)
    figure = Figure((columns * 0.85, rows * 1.35), layout="constrained", dpi=200)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    per_step = len(axes) // steps
    for s in range(steps):
        for j, image in enumerate(pixels[s]):
            axis = axes[s * per_step + j]
            axis.imshow(_stretch(image), cmap="gray", interpolation="nearest")
            label = top_labels(np.asarray(samples.y[s][j]), classes)
            axis.text(
                0.5, -0.06, label, transform=axis.transAxes, ha="center", va="top", fontsize=6
            )
    return figure


def draw_embeddings(samples: Samples, classes: Sequence[str]) -> Figure:
    """Distilled sentences as heat maps: words down, embedding across (Figures 9, 10)."""
    x = np.concatenate(np.asarray(samples.x)[:STEPS_SHOWN])[:24]
    y = np.concatenate(np.asarray(samples.y)[:STEPS_SHOWN])[:24]
    columns = min(len(x), 6)
    rows = -(-len(x) // columns)
    figure = Figure((columns * 1.7, rows * 1.7), layout="constrained", dpi=200)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    limit = np.percentile(np.abs(x), 99)
    for axis in axes[len(x) :]:
        axis.axis("off")
    for axis, sentence, label in zip(axes, x, y, strict=False):
        image = axis.imshow(sentence, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        axis.set_title(top_labels(label, classes), fontsize=6)
        axis.set_xticks([])
        axis.set_yticks([0, len(sentence) - 1], ["1", str(len(sentence))])
    figure.supxlabel("embedding", fontsize=7)
    figure.supylabel("word", fontsize=7)
    figure.colorbar(image, ax=axes.tolist(), fraction=0.02)
    return figure


def draw_history(metrics: Sequence[dict[str, Any]]) -> Figure:
    """The outer loss and the distillation accuracy over the outer steps."""
    figure = Figure((6.5, 2.4), layout="constrained", dpi=200)
    for axis, name, color in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), (BLUE, ORANGE), strict=True
    ):
        points = [(m["step"], m[name]) for m in metrics if name in m]
        axis.plot(*zip(*points, strict=True), color=color, linewidth=1)
        axis.set(xlabel="outer step", ylabel={"loss": "loss on real data, nats"}.get(name, name))
        axis.grid(alpha=0.3)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG."""
    with files.whole(path) as part:
        figure.savefig(part, format="png")


def _stretch(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [1, 99])
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1)
