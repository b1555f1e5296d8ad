"""Folds of the training data, to choose settings of full training."""

import dataclasses

import numpy as np

from tf_distill.datasets import Dataset
from tf_distill.datasets.words import UNKNOWN, TextEncoding

PARTS = 5


def fold(dataset: Dataset, number: int) -> Dataset:
    """A dataset with a fifth of its training data as the test data, and the rest to train on.

    Words that only the fifth has become "unknown", as they would be in new data.
    """
    order = np.random.default_rng(0).permutation(len(dataset.y_train))
    test = order[number::PARTS]
    train = np.setdiff1d(order, test)
    x, y = dataset.x_train, dataset.y_train
    if isinstance(dataset.encoding, TextEncoding):
        x = np.where(np.isin(x, x[train]), x, UNKNOWN).astype(x.dtype)
    return dataclasses.replace(
        dataset, x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test]
    )
