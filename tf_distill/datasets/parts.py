"""Training and test examples with numbered classes, whatever the inputs are."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tf_distill import limits
from tf_distill.datasets import labels
from tf_distill.errors import UserError
from tf_distill.progress import say

TEST_PART = 0.2


class Parts(NamedTuple):
    """Inputs `[N, ...]` and int32 class indices `[N]` of both splits, and the class names."""

    classes: tuple[str, ...]
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def part(
    train: tuple[np.ndarray, Iterable[Any]],
    test: tuple[np.ndarray, Iterable[Any]] | None,
    where: tuple[str, str],
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> Parts:
    """Numbers the classes; holds a fifth out, stratified, where there are no test data.

    Args:
        train: inputs and labels.
        test: likewise, or None.
        where: the train and the test data come from, for errors.
        classes: their names in order, or None for what the training labels have. Labels are
            then these names or positions in them.
        seed: of the part that is held out.

    Raises:
        UserError: labels that don't fit the inputs or the classes, or a seed that is none.
    """
    seed = limits.number("seed", seed, "seed")
    given = tuple(labels.plain(classes, "classes")) if classes is not None else None
    if given and len(set(given)) < len(given):
        raise UserError(f"two of the classes have one name: {labels.shown(given)}; rename one")
    names_train = _names(*train, where[0], given)
    found = labels.class_names(names_train, where[0])
    if given and (missing := [name for name in given if name not in found]):
        raise UserError(
            f"{where[0]}: class {labels.shown(missing)} has no example, expected at least two"
        )
    known = given or found
    y_train = labels.indices(names_train, known, where[0])
    if test is None:
        return _held_out(known, train[0], y_train, seed)
    if not len(test[0]):
        raise UserError(f"{where[1]} has no examples, expected some; or leave the test data out")
    y_test = labels.indices(_names(*test, where[1], given), known, where[1])
    return Parts(known, train[0], y_train, test[0], y_test)


def _names(
    x: np.ndarray, y: Iterable[Any], where: str, classes: tuple[str, ...] | None
) -> list[str]:
    names = labels.plain(y, where)
    if len(names) != len(x):
        raise UserError(f"{where}: got {len(x)} inputs and {len(names)} labels, expected as many")
    return labels.renamed(names, classes, where) if classes else names


def _held_out(classes: tuple[str, ...], x: np.ndarray, y: np.ndarray, seed: int) -> Parts:
    """A fifth for the test, stratified, and at least one example a class on average."""
    from sklearn.model_selection import train_test_split

    size = max(len(classes), round(TEST_PART * len(y)))
    train, test = train_test_split(np.arange(len(y)), test_size=size, stratify=y, random_state=seed)
    say(
        f"no test data: {len(test)} of {len(y)} examples, stratified and always the same, are "
        "held out for the test"
    )
    return Parts(classes, x[train], y[train], x[test], y[test])
