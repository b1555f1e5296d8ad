"""Examples in the containers of other libraries: tf.data.Dataset, and Hugging Face's datasets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, say
from tf_distill.datasets.arrays import from_arrays
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.texts import from_texts

TEST_SPLITS = ("test", "validation")
"""The splits of a `DatasetDict` that can be the test data, the first that is there."""


def from_dataset(
    train: Any,
    test: Any = None,
    *,
    columns: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    **settings: Any,
) -> Dataset:
    """A dataset of the images, texts or arrays in a container of another library.

    Args:
        train: a `tf.data.Dataset` of pairs (input, label), batched or not, such as
            `keras.utils.image_dataset_from_directory` makes; a `datasets.Dataset` of Hugging Face,
            or its `DatasetDict` with the split "train" and, for the test, "test" or "validation".
        test: a container of the same kind; without it a fifth of the examples, stratified, is
            held out.
        columns: the names of the inputs and of the labels in a dataset of Hugging Face; by
            default the only two, or the one of class labels and the only other one.
        classes: names in the order of the outputs; by default those that the container knows,
            else the sorted labels.
        settings: further ones of `from_texts` for strings, of `from_arrays` for all other inputs.

    Raises:
        UserError: another type; no such column or split; inputs of several shapes; examples without
            end.
    """
    if isinstance(train, Mapping):
        train, test = _splits(train, test)
    splits = [_examples(data, columns) for data in (train, test) if data is not None]
    names = classes if classes is not None else splits[0][2]
    arrays = [array for x, y, _ in splits for array in (x, y)]
    is_text = arrays[0].dtype.kind in "OSU"
    make: Callable[..., Dataset] = from_texts if is_text else from_arrays
    return make(*arrays, classes=names, **{"name": "dataset", **settings})


def _splits(container: Mapping[str, Any], test: Any) -> tuple[Any, Any]:
    if "train" not in container:
        raise UserError(f"the splits are {', '.join(container)}, expected one called train")
    found = next((name for name in TEST_SPLITS if name in container), None)
    if test is None and found:
        say(f"the split {found} is the test data")
        test = container[found]
    return container["train"], test


Examples = tuple[np.ndarray, np.ndarray, Sequence[str] | None]
"""Inputs `[N, ...]`, labels `[N, ...]`, and the names of the classes if they are known."""


def _examples(data: Any, columns: tuple[str, str] | None) -> Examples:
    if isinstance(data, tf.data.Dataset):
        return _of_pairs(data)
    if hasattr(data, "features") and hasattr(data, "column_names"):
        return _of_columns(data, columns)
    raise UserError(
        f"data is of type {type(data).__name__}, expected a tf.data.Dataset or a datasets.Dataset; "
        "for arrays use tf_distill.datasets.from_arrays, for texts from_texts"
    )


def _of_pairs(data: tf.data.Dataset) -> Examples:
    spec = data.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise UserError(
            f"a tf.data.Dataset has elements {spec}, expected pairs (input, label); make them by "
            "data.map"
        )
    if data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError("a tf.data.Dataset has no end; leave its repeat() out, or use take(n)")
    batched = [part.shape[:1].as_list() for part in spec]
    pairs = [tuple(map(np.asarray, pair)) for pair in data.as_numpy_iterator()]
    join = np.concatenate if batched[0] and batched[0] == batched[1] else np.stack
    if not pairs:
        raise UserError("a tf.data.Dataset has no examples, expected some of each class")
    x, y = (_joined(join, values) for values in zip(*pairs, strict=True))
    if y.ndim == 2 and y.shape[1] > 1 and np.array_equal(np.sort(y)[:, -2:], [[0, 1]] * len(y)):
        y = y.argmax(1)  # one-hot
    return _pixels(x), y, getattr(data, "class_names", None)


def _of_columns(data: Any, columns: tuple[str, str] | None) -> Examples:
    x, y = columns or _usual_columns(data)
    if gone := [name for name in (x, y) if name not in data.column_names]:
        raise UserError(
            f"no column {gone[0]}; the columns are {', '.join(data.column_names)}: name two by "
            'columns=("inputs", "labels")'
        )
    inputs = _joined(np.stack, [np.asarray(value) for value in data[x]])
    return inputs, np.asarray(list(data[y])), getattr(data.features[y], "names", None)


def _usual_columns(data: Any) -> tuple[str, str]:
    """The column of inputs and that of labels, where there is no doubt."""
    labels = [name for name in data.column_names if getattr(data.features[name], "names", None)]
    labels = labels or [name for name in ("label", "labels") if name in data.column_names]
    rest = [name for name in data.column_names if name not in labels]
    if len(labels) != 1 or len(rest) != 1:
        raise UserError(
            f"the columns are {', '.join(data.column_names)}, expected two; name them by "
            'columns=("inputs", "labels")'
        )
    return rest[0], labels[0]


def _joined(join: Callable[..., np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    try:
        return join(values)
    except ValueError:
        shapes = list(dict.fromkeys(value.shape for value in values))[:2]
        raise UserError(
            f"inputs have several shapes, such as {shapes[0]} and {shapes[-1]}, expected one; "
            "bring them to one size by map"
        ) from None


def _pixels(x: np.ndarray) -> np.ndarray:
    """uint8 in place of floats from 0 to 255 that Keras has resized images to."""
    images = x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.dtype.kind == "f" and x.size
    if not images or x.min() < 0 or not 1 < x.max() <= 255:
        return x
    say("pixels are rounded to whole numbers from 0 to 255")
    return np.round(x).astype(np.uint8)
