"""The types of the room: a dataset, its encoding, its entry in the registry, and both splits."""

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
    """Turns stored inputs into the inputs of a network, each of `shape`, in the graph."""

    shape: tuple[int, ...]

    @abc.abstractmethod
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Stored inputs `[batch, ...]` to float32 `[batch, *shape]`."""

    @abc.abstractmethod
    def metadata(self) -> dict[str, Any]:
        """A description for an export; JSON can hold all its values."""


class NumberEncoding(Encoding):
    """Numbers less a mean, divided by a standard deviation.

    Both have a number for each place of the last axis of an input's `shape`, or one for all.
    """

    kind: str

    def __init__(self, shape: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]):
        self.shape, self.mean, self.std = shape, mean, std

    def normalise(self, x: tf.Tensor) -> tf.Tensor:
        """float32 `[batch, *shape]` to the same of mean 0 and standard deviation 1."""
        return (x - tf.constant(self.mean)) / tf.constant(self.std)

    def metadata(self) -> dict[str, Any]:
        """Kind, shape, mean and standard deviation."""
        return {"kind": self.kind, "shape": self.shape, "mean": self.mean, "std": self.std}


Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Target(NamedTuple):
    """A quantity to be told, for regression.

    A network's targets are less `mean`, divided by `std`, both of the training data. It is written
    with so many `decimals`.
    """

    name: str
    mean: float
    std: float
    decimals: int = 0

    def written(self, value: float) -> str:
        """A value as people write it."""
        return f"{value:.{self.decimals}f}"


@dataclasses.dataclass(frozen=True, repr=False)
class Dataset:
    """Training and test arrays of stored inputs and class indices, or quantities.

    name: any; with a name of the registry, settings have the defaults of that dataset.
    classes: their names, in the order of the labels; () for a quantity.
    x_train, x_test: stored inputs: uint8 images `[N, height, width, channels]`, int32 word
        numbers `[N, length]`, float64 rows of a table `[N, columns]`, or float32 arrays
        `[N, ...]`.
    y_train, y_test: class indices, int32 `[N]`, or quantities, float64 `[N]`.
    encoding: from stored to embedded inputs.
    augment: a random change of stored training inputs: (x, seed) to x.
    raw_train, raw_test: the strings of a text dataset, bytes `[N]`.
    license: of the data, as an SPDX identifier such as "MIT"; None where it is not known.
    target: the quantity; None for classes.
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
    license: str | None = None
    target: Target | None = None

    def __repr__(self) -> str:
        """One line: the name and the sizes."""
        sizes = f"{len(self.y_train)} training and {len(self.y_test)} test examples"
        told = f"target {self.target.name}" if self.target else f"{len(self.classes)} classes"
        return f"<dataset {self.name}: {sizes} of {self.encoding.shape}, {told}>"

    @property
    def outputs(self) -> int:
        """Number of outputs of a network for this dataset: one for two classes or a quantity."""
        return 1 if len(self.classes) == 2 or self.target else len(self.classes)


class Parts(NamedTuple):
    """Inputs `[N, ...]` and labels `[N]` of both splits, and the class names.

    Labels are class indices, int32, or quantities, float64, of the `target`.
    """

    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    target: Target | None = None

    def dataset(self, name: str, encoding: Encoding, **more: Any) -> Dataset:
        """The dataset of these; further fields are `more`."""
        return Dataset(name, *self[:5], encoding, target=self.target, **more)


class Entry(NamedTuple):
    """A dataset before it is loaded: its defaults and its loader.

    kind: "image", "text" or "table".
    classes: their number; 0 for a quantity.
    model, batch_size, outer_steps: the defaults.
    load: makes the dataset from the data folder and `words.Vectors`.
    name: for folders, if it is not the one in the registry.
    vectors: whether the dataset takes word vectors.
    use: of its sets, by default: "replay" or "training".
    """

    kind: str
    classes: int
    model: str
    batch_size: int
    outer_steps: int
    load: Callable[[Path, Any], Dataset]
    name: str | None = None
    vectors: bool = True
    use: str = "replay"


DATASETS: dict[str, Entry] = {}
"""The registry: the entries by the names of their datasets; `known` fills it."""


def own_name(name: str) -> str:
    """A name for data of a file or a folder with this name; none of the registry's names.

    Data with a name of the registry have that dataset's defaults, and the command line loads it.
    """
    return f"own_{name}" if name in DATASETS else name


def refuse_stream(data: object, what: str) -> None:
    """Raises UserError if the data are a tf.data.Dataset, not arrays."""
    if isinstance(data, tf.data.Dataset):
        raise UserError(
            f"{what} is a tf.data.Dataset; make a dataset of it by "
            "tf_distill.datasets.from_dataset(train, test)"
        )


def usual_model(kind: str | None, shape: Sequence[int]) -> str:
    """The default network for data outside of the registry, by the shape of one input."""
    if len(shape) == 1:
        return "mlp"
    if kind == "text":
        return "textconvnet"
    return "lenet" if shape[-1] == 1 else "convnet-16"  # small, for a CPU


def fingerprint(dataset: Dataset) -> str:
    """A hash of the stored examples and the classes; it tells when data have changed."""
    digest = hashlib.sha256("\n".join(dataset.classes).encode())
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def hold_out(dataset: Dataset, seed: int, fraction: float = 0.1) -> Dataset:
    """The dataset with a random part of the training data in place of the test data.

    Choose settings on this dataset, never on test data.
    """
    order = numpy_generator(seed, Stream.HELD_OUT).permutation(len(dataset.y_train))
    test, train = np.split(order, [max(1, int(fraction * len(order)))])
    arrays = {"x": dataset.x_train, "y": dataset.y_train, "raw": dataset.raw_train}
    parts: dict[str, Any] = {
        f"{name}_{split}": None if array is None else array[rows]
        for name, array in arrays.items()
        for split, rows in (("train", train), ("test", test))
    }
    return dataclasses.replace(dataset, **parts)
