"""The list of all figures: which data each needs, how it is drawn, what it shows."""

import base64
import io
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tf_distill.core import Samples
from tf_distill.report.figures import classes, comparison, curves, samples
from tf_distill.report.record import Record


class Plate(NamedTuple):
    """One figure of the gallery.

    name: of its file, without the ending; paper: the figure or table of the paper that shows
    the same, or ""; alt: describes it to a person who can't see it; caption: what it means;
    wanted: whether a record has its data; draw: makes it from a record.
    """

    name: str
    title: str
    paper: str
    alt: str
    caption: str
    wanted: Callable[[Record], object]
    draw: Callable[[Any], Figure]


def _has(record: Record, kind: str) -> bool:
    """Whether a record has a set of images, or of texts."""
    return record.distilled is not None and record.distilled.metadata["input"]["kind"] == kind


def _set(record: Any) -> tuple[Samples, list[str]]:
    """The samples, a quantity in its units, and the names of the values of a label."""
    found = record.distilled
    if not found.target:
        return found.samples, found.metadata["classes"]
    y = found.quantities().reshape(found.samples.y.shape)
    return found.samples._replace(y=y), [found.target.name]


def _images(record: Any) -> tuple[Samples, list[str]]:
    """The set; one for ordinary training as a single step, since its steps mean nothing."""
    found, classes = _set(record)
    if record.for_training:
        x, y = (np.asarray(v).reshape(1, -1, *v.shape[2:]) for v in found[:2])
        found = Samples(x, y, found.lr)
    return found, classes


def _pairs(record: Any) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
    """The samples of an audit, the training examples beside them, and what is below."""
    x, audit = record.distilled.arrays()[0], record.audit
    shown, usual = audit["shown"], audit["usual"] or 1.0
    real = [np.asarray(Image.open(io.BytesIO(base64.b64decode(p["picture"])))) for p in shown]
    ratios = [f"{audit['distances'][p['sample']] / usual:.2f}, {p['class']}" for p in shown]
    return [x[p["sample"]] for p in shown], real, ratios


PLATES = (
    Plate(
        "images", "Distilled images", "Figures 1, 5, 7, 8",
        "Grid of the distilled images, each with the largest values of its label.",
        "All that the network sees in training, step by step. Each image is stretched to the "
        "range of grey or colour; below it are the largest values of its label.",
        lambda r: _has(r, "image"),
        lambda r: samples.draw_images(*_images(r)),
    ),
    Plate(
        "embeddings", "Distilled sentences in embedding space", "Figures 9, 10",
        "Heat maps of the distilled sentences, words down and embedding across.",
        "Each distilled sentence is a matrix: a row a word, a column a number of its vector.",
        lambda r: _has(r, "text"),
        lambda r: samples.draw_embeddings(*_set(r)),
    ),
    Plate(
        "labels", "Labels", "Table 1",
        "Heat map of the label matrix, a row a sample and a column a class, values written in.",
        "For ordinary training labels are probabilities; otherwise they are real numbers and need "
        "not sum to one. Of several classes the top one is bold.",
        lambda r: r.distilled,
        lambda r: samples.draw_labels(*_set(r)),
    ),
    Plate(
        "nearest", "Nearest training examples", "",
        "Pairs of images: a distilled one, and below it the training example nearest to it.",
        "The samples that are nearest to a training example, and this example below. The number is "
        "their distance over that of a test example to its nearest training example (median): 0 is "
        "a copy.",
        lambda r: any("picture" in pair for pair in r.audit.get("shown", [])),
        lambda r: samples.draw_nearest(*_pairs(r)),
    ),
    Plate(
        "inner_accuracy", "Accuracy after every inner step", "",
        "Line chart of the test accuracy after each inner step, with its deviation.",
        "How far each gradient step on the distilled set takes a network. Step 0 is before "
        "training.",
        lambda r: r.curve,
        lambda r: curves.draw_inner_accuracy(
            r.curve, len(r.distilled.samples.x), r.original, r.measure
        ),
    ),
    Plate(
        "comparison", "Baselines and controls", "Tables 2, 3, 5",
        "Bars of the mean accuracy of the distilled set, the baselines, the controls and other "
        "networks, with standard deviations.",
        "Mean and standard deviation over networks.",
        lambda r: r.rows,
        lambda r: comparison.draw_comparison(r.rows, r.original, r.measure),
    ),
    Plate(
        "distribution", "Distribution over networks", "",
        "Strips of dots, one for each network, for every row of the table with several networks.",
        "Each dot is one trial: another initial network, or for the baselines another draw. "
        "The upright lines are medians.",
        lambda r: any(len(row["accuracies"]) > 1 for row in r.rows),
        lambda r: comparison.draw_distribution(r.rows, r.measure),
    ),
    Plate(
        "confusion", "Answers by class", "",
        "Grid of shares: a row a class, a column an answer.",
        "How often test examples of a class (a row) got an answer (a column), in percent of the "
        "row, over all networks of the test. What is right lies on the diagonal.",
        lambda r: r.by_class,
        lambda r: classes.draw_confusion([c.name for c in r.by_class], r.results["confusion"]),
    ),
    Plate(
        "learning_rates", "Learning rates", "",
        "Line chart of the learned learning rate of each inner step, an epoch a colour.",
        "Learned together with the samples: one for every inner step.",
        lambda r: r.distilled and not r.for_training,
        lambda r: curves.draw_learning_rates(r.distilled.samples.lr, len(r.distilled.samples.x)),
    ),
    Plate(
        "history", "Outer loss and accuracy", "",
        "Two line charts over the outer steps: loss on real data, and distillation accuracy.",
        "The distillation itself: the loss on real batches after training on the set, and the "
        "accuracy at the evaluations on the way.",
        lambda r: r.metrics,
        lambda r: curves.draw_history(r.metrics, r.original, r.measure),
    ),
    Plate(
        "sizes", "Accuracy against size", "Figure 6",
        "Line chart of the accuracy against the number of distilled samples.",
        "dA is the smallest size whose accuracy reaches A percent of the original accuracy.",
        lambda r: r.sizes,
        lambda r: curves.draw_sizes(r.sizes, r.original, r.distillation_sizes, r.measure),
    ),
    Plate(
        "ranking", "Ranking of networks", "",
        "Scatter plot of the accuracy after the distilled set against that after full training.",
        "Each point is a variant of the network, numbered as in the table. Spearman's and "
        "Kendall's rank correlations say how well the distilled set alone finds the better ones.",
        lambda r: r.ranking,
        lambda r: comparison.draw_ranking(r.ranking, r.measure),
    ),
)  # fmt: skip


def plates(record: Record) -> Iterator[Plate]:
    """The figures that a record has the data for, in the order of the report."""
    return (_named(plate, record.measure) for plate in PLATES if plate.wanted(record))


def _named(plate: Plate, measure: str) -> Plate:
    """The plate with the measure of a record in place of the accuracy in its words."""
    if measure == "accuracy":
        return plate
    title, alt, caption = (
        re.sub("accuracy", measure, words, flags=re.IGNORECASE)
        for words in (plate.title, plate.alt, plate.caption)
    )
    return plate._replace(title=title, alt=alt, caption=caption)
