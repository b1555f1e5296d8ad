"""What people would like to know of their data before they use them: warnings, a line each."""

from collections.abc import Iterator

import numpy as np

from tf_distill.common import percent, say
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.words import PADDING, UNKNOWN, TextEncoding

COPIES, CONTRARY, LEAKED, EMPTY = 0.2, 0.05, 0.01, 0.1
"""Shares of examples above which a warning is due: equal to another one, equal to one of another
class, test examples that are training examples, and examples that say nothing."""
CONTRAST = 8
"""Pixels of an image that differ by less than this are one colour for the eye."""
KNOWN = 0.5
"""The share of running words below which vectors do not fit the texts."""
APART = 10
"""How many times larger on average the numbers of one split may be."""
UNEVEN = 20
"""How much larger than the smallest class the largest may be."""


def warn(dataset: Dataset) -> Dataset:
    """Prints a line for each thing that looks wrong in the data; gives the same dataset."""
    for line in (*balance(dataset), *copies(dataset), *emptiness(dataset), *scales(dataset)):
        say(f"warning: {line}")
    return dataset


def balance(dataset: Dataset) -> Iterator[str]:
    """Classes that are far from balanced."""
    if dataset.target:
        return
    train, test = (
        np.bincount(y, minlength=len(dataset.classes)) for y in (dataset.y_train, dataset.y_test)
    )
    largest, smallest = int(train.argmax()), int(train.argmin())
    share = train[largest] / train.sum()
    # More than half the way from balance to one class alone.
    if 2 * share > 1 + 1 / len(train):
        yield (
            f"class {dataset.classes[largest]!r} has {percent(share, 1)} % of the training "
            f"examples; an accuracy of {percent(test[largest] / test.sum(), 1)} % needs no more "
            "than always to answer it"
        )
    elif train[largest] > UNEVEN * train[smallest]:
        yield (
            f"class {dataset.classes[smallest]!r} has {train[smallest]} training examples, and "
            f"{dataset.classes[largest]!r} has {train[largest]}"
        )


def copies(dataset: Dataset) -> Iterator[str]:
    """Examples that are equal to others, in a way that makes learning or testing doubtful."""
    train, test = (
        [hash(x if isinstance(x, bytes) else x.tobytes()) for x in inputs]
        for inputs in (
            (dataset.x_train, dataset.x_test)
            if dataset.raw_train is None or dataset.raw_test is None
            else (dataset.raw_train, dataset.raw_test)
        )
    )
    pairs = set(zip(train, dataset.y_train.tolist(), strict=True))
    distinct = {key for key, _ in pairs}
    if (equal := len(train) - len(distinct)) > COPIES * len(train):
        yield f"{equal} of {len(train)} training examples are equal to another one"
    if (contrary := len(pairs) - len(distinct)) > CONTRARY * len(train):
        other = "with another label" if dataset.target else "of another class"
        yield f"{contrary} training examples are equal to one {other}"
    if (leaked := sum(key in distinct for key in test)) > LEAKED * len(test):
        yield (
            f"{leaked} of {len(test)} test examples are training examples too: the accuracy will "
            "look better than it is"
        )


def emptiness(dataset: Dataset) -> Iterator[str]:
    """Images of one colour; texts without a known word, and vectors of another language."""
    is_text = isinstance(dataset.encoding, TextEncoding)
    for split, x in {"training": dataset.x_train, "test": dataset.x_test}.items():
        if is_text:
            empty, told = (x <= UNKNOWN).all(1).sum(), "texts have no known word"
        elif x.dtype == np.uint8:
            flat = x.reshape(len(x), -1)
            empty = (flat.max(1) - flat.min(1) < CONTRAST).sum()
            told = "images have one colour"
        else:
            return
        if empty > EMPTY * len(x):
            yield f"{empty} of {len(x)} {split} {told}"
    if is_text:
        words = dataset.x_train[dataset.x_train != PADDING]
        known = float((words > UNKNOWN).sum() / max(1, len(words)))
        if known < KNOWN:
            yield (
                f"only {percent(known, 1)} % of the words in the training texts have a vector; "
                "name a file for their language with embeddings=FILE, or make vectors with "
                "embeddings=train"
            )


def scales(dataset: Dataset) -> Iterator[str]:
    """Test inputs that are numbers of another scale, as pixels not divided by 255 are."""
    if dataset.x_train.dtype != np.float32:
        return
    train, test = (float(np.abs(x).mean()) for x in (dataset.x_train, dataset.x_test))
    if max(train, test) > APART * min(train, test):
        yield (
            f"the training inputs are {train:.3g} on average without their sign, and the test "
            f"inputs {test:.3g}: scale both alike"
        )
