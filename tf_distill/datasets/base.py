"""What every dataset is, whatever it holds."""

import abc
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.common import Stream, UserError, numpy_generator


class Encoding(abc.ABC):
    """How stored inputs become what a network sees, in the graph.

    shape: of one embedded input.
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Stored inputs `[batch, ...]` to float32 `[batch, *shape]`."""

    @abc.abstractmethod
    def metadata(self) -> dict[str, Any]:
        """The same in words and numbers, for an export: only what JSON can hold."""


Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True, repr=False)
class Dataset:
    """Train and test arrays of (stored input, class index).

    name: any; with one of the registry's, settings have its defaults.
    classes: their names, in the order of the labels.
    x_train, x_test: stored inputs: uint8 images `[N, height, width, channels]`, int32 word
        numbers `[N, length]`, or float32 arrays `[N, ...]`.
    y_train, y_test: int32 `[N]`.
    encoding: from stored to embedded inputs.
    augment: a random change of stored training inputs: (x, seed) to x.
    raw_train, raw_test: the strings of a text dataset, bytes `[N]`.
    """

    name: str
    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    encoding: Encoding
    augment: Augment = lambda x, seed: x
    raw_train: np.ndarray | None = None
    raw_test: np.ndarray | None = None

    def __repr__(self) -> str:
        """One line: the name and the sizes."""
        sizes = f"{len(self.y_train)} training and {len(self.y_test)} test examples"
        return (
            f"<dataset {self.name}: {sizes} of {self.encoding.shape}, {len(self.classes)} classes>"
        )

    @property
    def outputs(self) -> int:
        """Logits that a network for this dataset has: one for a binary task."""
        return 1 if len(self.classes) == 2 else len(self.classes)


class Entry(NamedTuple):
    """What is known of a dataset before it is loaded, and how to load it.

    kind: "image" or "text"; classes: how many; model: the network that is used by default;
    batch_size: real examples an outer step; outer_steps: updates of the distilled set; load:
    from the data folder and the word vectors (a file, "train", or None for the usual file);
    name: for folders, if it is not the one in the registry; vectors: whether texts take these.
    """

    kind: str
    classes: int
    model: str
    batch_size: int
    outer_steps: int
    load: Callable[[Path, str | None], Dataset]
    name: str | None = None
    vectors: bool = True


def refuse_stream(data: object, what: str) -> None:
    """Raises UserError where the data are a tf.data.Dataset, not arrays."""
    if isinstance(data, tf.data.Dataset):
        raise UserError(
            f"{what} is a tf.data.Dataset; put it into arrays first: x, y = map(np.array, "
            "zip(*data.as_numpy_iterator())), then tf_distill.datasets.from_arrays(x, y)"
        )


def usual_model(kind: str | None, shape: Sequence[int]) -> str:
    """The network by default of data that no registry knows, by the shape of one input."""
    if kind == "text":
        return "textconvnet"
    return "lenet" if shape[-1] == 1 else "alexcifarnet"


def fingerprint(dataset: Dataset) -> str:
    """A hash of the stored examples and the classes, to notice that data have changed."""
    digest = hashlib.sha256("\n".join(dataset.classes).encode())
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test):
        digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def hold_out(dataset: Dataset, seed: int, fraction: float = 0.1) -> Dataset:
    """The dataset with a random part of the training data in place of the test data.

    Settings must be chosen on this, never on test data.
    """
    order = numpy_generator(seed, Stream.HELD_OUT).permutation(len(dataset.y_train))
    test, train = np.split(order, [max(1, int(fraction * len(order)))])
    raw = dataset.raw_train
    return dataclasses.replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_train[test],
        y_test=dataset.y_train[test],
        raw_train=None if raw is None else raw[train],
        raw_test=None if raw is None else raw[test],
    )
