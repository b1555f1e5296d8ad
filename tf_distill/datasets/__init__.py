"""The datasets by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tf_distill.datasets import images, texts, toy_questions
from tf_distill.datasets.base import Dataset, hold_out

__all__ = ["DATASETS", "Dataset", "Entry", "hold_out"]


class Entry(NamedTuple):
    """What is known of a dataset before it is loaded, and how to load it.

    kind: "image" or "text"; classes: how many; model: the network of the paper's
    experiments; batch_size: real examples an outer step; outer_steps: updates of the
    distilled set; load: from the data folder and a file of word vectors (None for the
    usual place).
    """

    kind: str
    classes: int
    model: str
    batch_size: int
    outer_steps: int
    load: Callable[[Path, Path | None], Dataset]


DATASETS: dict[str, Entry] = {
    "digits": Entry("image", 10, "lenet", 256, 2000, images.load_digits),
    "mnist": Entry("image", 10, "lenet", 256, 12000, images.load_mnist),
    "cifar10": Entry("image", 10, "alexcifarnet", 256, 5000, images.load_cifar10),
    "imdb": Entry("text", 2, "textconvnet", 256, 1000, texts.load_imdb),
    "sst5": Entry("text", 5, "birnn", 512, 1000, texts.load_sst5),
    "trec6": Entry("text", 6, "bilstm", 512, 1000, texts.load_trec6),
    "trec50": Entry("text", 50, "textconvnet", 512, 2000, texts.load_trec50),
    "toy_questions": Entry("text", 3, "textconvnet", 256, 300, toy_questions.load_toy_questions),
}
