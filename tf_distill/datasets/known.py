"""The registry: datasets by name, with their defaults and loaders, and the user's own data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, unknown_name
from tf_distill.datasets import tfds, user_data
from tf_distill.datasets.base import DATASETS, Dataset, Entry, Parts
from tf_distill.datasets.images import ImageEncoding, crop_and_flip
from tf_distill.datasets.texts import GLOVE, text_dataset
from tf_distill.datasets.tfds import Arrays
from tf_distill.datasets.toy_questions import load_toy_questions
from tf_distill.datasets.words import TextEncoding, Vectors


def load_imdb(data_dir: Path, embeddings: Vectors) -> Dataset:
    """IMDB: 25,000 and 25,000 film reviews, negative or positive, of 400 words."""
    train, test, _ = tfds.load_splits("imdb_reviews", data_dir, ("text", "label"))
    vectors = embeddings or data_dir / GLOVE
    return _ready("imdb", ("negative", "positive"), train, test, vectors, length=400)


def load_sst5(data_dir: Path, embeddings: Vectors) -> Dataset:
    """SST-5: 8,544 and 2,210 sentences of film reviews in five grades, of 30 words.

    The 1,101 sentences of the development split are not used.
    """
    from tf_distill.datasets import sst5

    train, test, features = sst5.load_splits(data_dir)
    vectors = embeddings or data_dir / GLOVE
    return _ready("sst5", features["label"].names, train, test, vectors, length=30)


def load_trec6(data_dir: Path, embeddings: Vectors) -> Dataset:
    """TREC-6: 5,452 and 500 questions by the kind of their answer, of 30 words."""
    train, test, features = tfds.load_splits("trec", data_dir, ("text", "label-coarse"))
    vectors = embeddings or data_dir / GLOVE
    return _ready("trec6", features["label-coarse"].names, train, test, vectors, length=30)


def load_trec50(data_dir: Path, embeddings: Vectors) -> Dataset:
    """TREC-50: the same questions by 50 finer kinds, of 20 words.

    tensorflow-datasets merges fine labels of one name across the coarse ones, so the
    classes here are the pairs of coarse and fine that occur in training.
    """
    keys = ("text", "label-coarse", "label-fine")
    train, test, features = tfds.load_splits("trec", data_dir, keys)
    coarse, fine = (features[key].names for key in keys[1:])
    pairs = sorted(set(zip(*train[1:], strict=True)))
    classes = [f"{coarse[c]}:{fine[f]}" for c, f in pairs]
    train, test = (
        (texts, np.array([pairs.index(pair) for pair in zip(*labels, strict=True)]))
        for texts, *labels in (train, test)
    )
    return _ready("trec50", classes, train, test, embeddings or data_dir / GLOVE, length=20)


def _ready(
    name: str,
    classes: Sequence[str],
    train: Arrays,
    test: Arrays,
    vectors: str | Path | TextEncoding,
    length: int,
) -> Dataset:
    """A text dataset of the given splits (texts, class indices)."""
    return text_dataset(name, _parts(classes, train, test), vectors, length)


def _parts(classes: Sequence[str], train: Arrays, test: Arrays) -> Parts:
    labels = [y.astype(np.int32) for y in (train[1], test[1])]
    return Parts(tuple(classes), train[0], labels[0], test[0], labels[1])


def load_digits(data_dir: Path, embeddings: Vectors) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, scaled from 8x8 to 28x28 pixels.

    A fifth of them is the test split, always the same: that of scikit-learn's train_test_split with
    test_size=0.2, stratify=labels and random_state=0.
    """
    from sklearn.datasets import load_digits as load
    from sklearn.model_selection import train_test_split

    images, labels = load(return_X_y=True)
    pixels = images.reshape(-1, 8, 8, 1) * (255 / 16)
    x = np.round(tf.image.resize(pixels, (28, 28)).numpy()).astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        x, labels.astype(np.int32), test_size=0.2, stratify=labels, random_state=0
    )
    mean, std = float(x_train.mean() / 255), float(x_train.std() / 255)
    encoding = ImageEncoding((28, 28, 1), (mean,), (std,))
    classes = tuple(str(digit) for digit in range(10))
    return Dataset("digits", classes, x_train, y_train, x_test, y_test, encoding)


def load_mnist(data_dir: Path, embeddings: Vectors) -> Dataset:
    """MNIST: 60,000 and 10,000 handwritten digits of 28x28 pixels."""
    encoding = ImageEncoding((28, 28, 1), (0.1307,), (0.3081,))
    return _labelled_images("mnist", data_dir, encoding)


def load_cifar10(data_dir: Path, embeddings: Vectors) -> Dataset:
    """CIFAR-10: 50,000 and 10,000 colour images of 32x32 pixels, cropped and flipped to train."""
    encoding = ImageEncoding((32, 32, 3), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    return _labelled_images("cifar10", data_dir, encoding, augment=crop_and_flip)


def _labelled_images(name: str, data_dir: Path, encoding: ImageEncoding, **settings) -> Dataset:
    train, test, features = tfds.load_splits(name, data_dir, ("image", "label"))
    parts, license_ = _parts(features["label"].names, train, test), tfds.license_of(name)
    return parts.dataset(name, encoding, license=license_, **settings)


DATASETS |= {
    "digits": Entry("image", 10, "lenet", 128, 2000, load_digits),
    "mnist": Entry("image", 10, "lenet", 256, 12000, load_mnist),
    "cifar10": Entry("image", 10, "alexcifarnet", 256, 5000, load_cifar10),
    "imdb": Entry("text", 2, "textconvnet", 256, 1000, load_imdb),
    "sst5": Entry("text", 5, "birnn", 512, 1000, load_sst5),
    "trec6": Entry("text", 6, "bilstm", 512, 1000, load_trec6),
    "trec50": Entry("text", 50, "textconvnet", 512, 2000, load_trec50),
    "toy_questions": Entry("text", 3, "textconvnet", 256, 300, load_toy_questions, vectors=False),
}


def registry(settings: Mapping[str, Any]) -> dict[str, Entry]:
    """The entries of all datasets by name; with the user's own data if the settings name them.

    Own data are read for their entry. The settings of a run have at least `dataset`, `data_dir`.

    Raises:
        UserError: an unknown name, own data that can't be used, or a setting that only own data
            have.
    """
    name = settings["dataset"]
    place = Path(name).expanduser()
    if user_data.is_own(name):
        return {**DATASETS, name: user_data.own_entry(settings)}
    if name in DATASETS:
        user_data.refuse_settings(settings)
    elif place.exists():
        endings = {".npz": "npz", ".parquet": "table", ".pq": "table"}
        kind = "folder" if place.is_dir() else endings.get(place.suffix, "csv")
        raise UserError(f"unknown dataset {name!r}; for your own data use dataset={kind}:{name}")
    else:
        known = unknown_name("dataset", name, DATASETS)
        raise UserError(f"{known}; or your own data: {', '.join(user_data.FORMS)}")
    return DATASETS


def load(settings: Mapping[str, Any]) -> Dataset:
    """The dataset that the settings of a run name."""
    entry = registry(settings)[settings["dataset"]]
    return entry.load(Path(settings["data_dir"]), settings["embeddings"])
