"""What the examples on digits share: parts of the data, a short distillation, an accuracy."""

import dataclasses
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

import tf_distill as td
from tf_distill.datasets import Dataset

MINIBATCH = 10
SHORT: dict[str, Any] = {
    "use": "training", "sample_init": "k_means", "epochs": 100, "unroll": 40, "window": 15,
    "outer_steps": 30, "batch_size": 128, "eval_networks": 1, "eval_every": 30,
}  # fmt: skip
"""Settings of a distillation of seconds."""


def load(data_dir: str | None) -> Dataset:
    """MNIST in a folder of tensorflow-datasets; without one scikit-learn's digits, 16x16."""
    if data_dir:
        return td.datasets.from_tfds("mnist", data_dir)
    digits = load_digits()
    images = (digits.images * (255 / 16)).round().astype("uint8")
    return td.datasets.from_arrays(images.repeat(2, axis=1).repeat(2, axis=2), digits.target)


def part(data: Dataset, rows: np.ndarray) -> Dataset:
    """The dataset with these training examples alone; it still has the names of all classes."""
    return dataclasses.replace(data, x_train=data.x_train[rows], y_train=data.y_train[rows])


def distil(data: Dataset, samples: int, seed: int, **more: Any) -> td.LoadedSet:
    """A set of so many samples, for any ordinary training of a LeNet; with more settings."""
    n = min(samples, MINIBATCH)
    size = {"samples_per_step": n, "steps": samples // n, "seed": seed}
    return td.distill(data, "lenet", **SHORT, **size, **more).distilled


def seen(data: Dataset, x: np.ndarray) -> np.ndarray:
    """Images as a network sees them."""
    return np.concatenate([data.encoding(some) for some in np.array_split(x, len(x) // 2000 + 1)])


def accuracy(model: keras.Model, data: Dataset) -> float:
    """The share of the test images that a network reads right."""
    logits = model.predict(seen(data, data.x_test), verbose=0)
    return float(np.mean(logits.argmax(axis=1) == data.y_test))
