"""Any dataset of tensorflow-datasets whose examples are an image or a text with a class."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, say
from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.images import Size, choose_size, image_dataset, scale_images
from tf_distill.datasets.labels import make_parts
from tf_distill.datasets.texts import GLOVE, drop_empty, text_dataset

LICENSES = {"fashion_mnist": "MIT", "mnist": "CC-BY-SA-3.0"}
"""Of datasets by name, as SPDX identifiers: those that the documentation of Keras states."""
Arrays = tuple[np.ndarray, ...]
Splits = tuple[Arrays, Arrays, Any]


def from_tfds(
    name: str,
    data_dir: str | Path | None = None,
    *,
    input_feature: str | None = None,
    label_feature: str | None = None,
    image_size: Size | None = None,
    embeddings: str | Path | None = None,
    length: int | None = None,
) -> Dataset:
    """A dataset of tensorflow-datasets; never downloads anything.

    Args:
        name: as for `tfds.load`, also with a config: "glue/sst2".
        data_dir: its folder; by default that of tensorflow-datasets.
        input_feature: the image or text; None for the only one.
        label_feature: the class label; likewise.
        image_size: height and width of the images; None for the size of most, within 12 to 64.
        embeddings: as for `from_texts`; None for glove/glove.6B.100d.txt in data_dir.
        length: as for `from_texts`.

    Raises:
        UserError: it is not in the folder, or has no image or text with a class.
    """
    import tensorflow_datasets as tfds

    place = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    kind, parts = read_tfds(name, place, input_feature, label_feature, image_size)
    short = name.partition("/")[0]
    if kind == "image":
        made = image_dataset(short, parts)
    else:
        made = text_dataset(short, parts, embeddings or place / GLOVE, length)
    return dataclasses.replace(made, license=license_of(name))


def license_of(name: str) -> str | None:
    """The licence of a dataset by its name, also with a config and a version, if it is known."""
    return LICENSES.get(re.split("[/:]", name)[0])


def read_tfds(
    name: str,
    data_dir: Path,
    input_feature: str | None = None,
    label_feature: str | None = None,
    image_size: Size | None = None,
) -> tuple[str, Parts]:
    """The kind, "image" or "text", and both splits."""
    source = builder(name, data_dir)
    features = source.info.features
    kind, key, label = choose_features(name, features, input_feature, label_feature)
    remedy = _preparation(name, data_dir)
    splits = _splits(source, label, remedy)
    names = getattr(features[label], "names", None)  # None for whole numbers
    arrays = [_arrays(source, split, key, label, names, remedy) for split in splits]
    if kind == "image":
        arrays = _one_size(arrays, image_size)
    else:
        arrays = [
            drop_empty(x, y, f"{name}, {s}") for (x, y), s in zip(arrays, splits, strict=True)
        ]
    where = (f"{name}, {splits[0]}", f"{name}, {splits[-1]}")
    classes = names if names and set(names) == set(arrays[0][1]) else None
    return kind, make_parts(arrays[0], arrays[1] if len(arrays) > 1 else None, where, classes)


def choose_features(
    name: str, features: Mapping[str, Any], input_feature: str | None, label_feature: str | None
) -> tuple[str, str, str]:
    """The kind, the input feature and the label feature of a dataset.

    An image has priority over texts, which are then names or descriptions. A label is a
    ClassLabel or, without one, a whole number. If there is no input or label, or several, a
    UserError names all features.
    """
    import tensorflow_datasets as tfds

    listed = ", ".join(f"{key} ({type(f).__name__})" for key, f in sorted(features.items()))
    for given in (input_feature, label_feature):
        if given is not None and given not in features:
            raise UserError(f"{name} has no feature {given!r}, expected one of {listed}")

    def of(cls: type, given: str | None) -> list[str]:
        return [k for k, f in features.items() if isinstance(f, cls) and given in (None, k)]

    images, texts = (of(cls, input_feature) for cls in (tfds.features.Image, tfds.features.Text))
    numbers = [
        key for key in of(tfds.features.Tensor, label_feature)
        if features[key].shape == () and np.issubdtype(features[key].np_dtype, np.integer)
    ]  # fmt: skip
    inputs, labels = images or texts, of(tfds.features.ClassLabel, label_feature) or numbers
    if len(inputs) != 1 or len(labels) != 1:
        raise UserError(
            f"{name} has the features {listed}, expected one image or text and one class label or "
            "whole number; "
            "name them with text_column and label_column (input_feature and label_feature in "
            "from_tfds)"
        )
    return "image" if images else "text", inputs[0], labels[0]


def _splits(builder, label: str, remedy: str) -> list[str]:
    """The splits to use: train, and test or, if that is missing or has no labels, validation."""
    there = builder.info.splits
    if "train" not in there:
        if there:
            raise UserError(f"{builder.name} has the splits {', '.join(there)}, expected train")
        raise _absent(builder.name, builder.data_dir, remedy)
    for split in ("test", "validation"):
        if split in there and _labelled(builder, split, label, remedy):
            if split == "validation":
                say(f"{builder.name} has no test split with labels: tested on validation")
            return ["train", split]
    return ["train"]


def _labelled(builder, split: str, label: str, remedy: str) -> bool:
    """Whether the first example of a split has a label; -1 is no label."""
    import tensorflow_datasets as tfds

    with _present(builder, remedy):
        first = next(iter(tfds.as_numpy(builder.as_dataset(split=f"{split}[:1]"))))
    return int(first[label]) >= 0 or not hasattr(builder.info.features[label], "names")


def _arrays(builder, split: str, key: str, label: str, names: list[str] | None, remedy: str):
    """Inputs, an array or a list of images of their own sizes, and labels by name."""
    import tensorflow_datasets as tfds

    with _present(builder, remedy):
        data = builder.as_dataset(split=split).map(lambda example: (example[key], example[label]))
        if data.element_spec[0].shape.is_fully_defined():
            whole = data.batch(max(1, builder.info.splits[split].num_examples))
            inputs, labels = next(iter(tfds.as_numpy(whole.prefetch(tf.data.AUTOTUNE))))
        else:
            inputs, labels = zip(*tfds.as_numpy(data), strict=True)
    return inputs, [names[int(label)] if names else int(label) for label in labels]


def _one_size(arrays: list, image_size: Size | None) -> list:
    sizes = [image.shape[:2] for image in arrays[0][0]]
    channels = arrays[0][0][0].shape[-1]
    size = choose_size(sizes, image_size)
    whole = all(isinstance(x, np.ndarray) and x.dtype == np.uint8 for x, _ in arrays)
    if set(sizes) == {size} and whole and channels < 4:
        return arrays
    return [(scale_images(x, size, 1 if channels == 1 else 3), y) for x, y in arrays]


def load_splits(name: str, data_dir: Path, keys: tuple[str, ...]) -> Splits:
    """The training arrays and test arrays of a dataset, in the order of keys, and its features.

    A UserError has the command that prepares the dataset if it is not in the folder.
    """
    return whole_splits(builder(name, data_dir), keys, _preparation(name, data_dir))


def builder(name: str, data_dir: Path):
    """The builder of a dataset, prepared or not; UserError if there is no such dataset."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=str(data_dir))
    except (tfds.core.registered.DatasetNotFoundError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"tensorflow-datasets has no {name!r} ({reason}), nor has {data_dir}; see "
            "tensorflow_datasets.list_builders() for the names"
        ) from None


def _preparation(name: str, data_dir: Path) -> str:
    """The advice for a dataset that is not prepared."""
    make = f'import tensorflow_datasets as t; t.builder("{name}", data_dir="{data_dir}")'
    return f"run: python -c '{make}.download_and_prepare()'"


def whole_splits(builder, keys: tuple[str, ...], remedy: str) -> Splits:
    """The splits of a prepared dataset as `load_splits` gives them; the remedy is for an error."""
    import tensorflow_datasets as tfds

    with _present(builder, remedy):
        train, test = (
            tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
            for split in ("train", "test")
        )
    return tuple(train[k] for k in keys), tuple(test[k] for k in keys), builder.info.features


@contextlib.contextmanager
def _present(builder, remedy: str) -> Iterator[None]:
    """Turns errors of reading an absent or damaged dataset into one UserError with the remedy."""
    try:
        yield
    # tensorflow-datasets raises AssertionError if nothing is prepared.
    except (AssertionError, OSError, tf.errors.OpError) as error:
        raise _absent(builder.name, builder.data_dir, remedy) from error


def _absent(name: str, place: Path, remedy: str) -> UserError:
    return UserError(
        f"dataset {name!r} is not in {place}, or damaged; {remedy}; or name "
        "the folder that has it with data_dir"
    )
