"""Labels that are quantities, for regression: which are, and both splits of the data."""

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_distill.common import UserError, brief, say, unknown_name
from tf_distill.datasets.base import Parts, Target
from tf_distill.datasets.labels import TEST_PART, check_lengths, make_parts, plain_values
from tf_distill.datasets.preprocessing import decimals_of

TASKS = ("classes", "regression")
CLASSES, REGRESSION = TASKS
FEWEST = 5
"""Examples of a quantity that can be split."""
Split = tuple[np.ndarray, Iterable[Any]]
"""Inputs and labels."""


def parts_of(
    train: Split,
    test: Split | None,
    where: tuple[str, str],
    task: str | None,
    classes: Iterable[str] | None = None,
    seed: int = 0,
    target: str = "target",
) -> Parts:
    """Both splits, by classes as `make_parts` numbers them, or with a quantity as labels.

    Args:
        train: inputs and labels.
        test: likewise; without it a fifth is held out.
        where: names of both in errors.
        task: "classes" or "regression"; None for regression if the labels are numbers with
            fractions, else for classes.
        classes: as for `make_parts`.
        seed: of the part that is held out.
        target: the name of the quantity.

    Raises:
        UserError: labels that don't fit the inputs, the task or the classes.
    """
    if task not in (None, *TASKS):
        raise unknown_name("task", str(task), TASKS)
    train = train[0], plain_values(train[1])
    if task is None and classes is None and _has_fractions(train[1]):
        say(f"{where[0]}: labels with fractions are a quantity, so task=regression")
        task = REGRESSION
    if task != REGRESSION:
        return make_parts(train, test, where, classes, seed)
    if classes is not None:
        raise UserError("classes are not for task=regression; leave one of them out")
    return _split(
        (train[0], _numbers(*train, where[0])),
        test and (test[0], _numbers(*test, where[1])),
        where,
        seed,
        target,
    )


def _has_fractions(labels: list[Any]) -> bool:
    """Whether the labels are numbers, and not all of them whole."""
    if not all(isinstance(label, numbers.Real) for label in labels):
        return False
    return any(np.isfinite(label) and label != int(label) for label in labels)


def _numbers(x: np.ndarray, labels: Iterable[Any], where: str) -> np.ndarray:
    labels = plain_values(labels)
    check_lengths(x, labels, where)
    found = np.array([_number(label) for label in labels], np.float64)
    if not np.isfinite(found).all():
        bad = int(np.argmin(np.isfinite(found)))
        raise UserError(
            f"{where}: label {bad} is {brief(labels[bad])}, expected a finite number for "
            "task=regression; mend it or leave it out"
        )
    return found


def _number(label: Any) -> float:
    """A label as a number; NaN if it is none."""
    try:
        return float(label.decode() if isinstance(label, bytes) else label)
    except (TypeError, ValueError):
        return np.nan


def _split(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray] | None,
    where: tuple[str, str],
    seed: int,
    target: str,
) -> Parts:
    from sklearn.model_selection import train_test_split

    if test is not None and not len(test[1]):
        raise UserError(f"{where[1]} has no examples, expected some; or leave the test data out")
    if test is None:
        if len(train[1]) < FEWEST:
            raise UserError(f"{where[0]} has {len(train[1])} examples, expected at least {FEWEST}")
        size = max(2, round(TEST_PART * len(train[1])))
        kept, held = train_test_split(np.arange(len(train[1])), test_size=size, random_state=seed)
        say(
            f"no test data: {len(held)} of {len(train[1])} examples, always the same, are held "
            "out for the test"
        )
        train, test = (train[0][kept], train[1][kept]), (train[0][held], train[1][held])
    y = train[1]
    if (values := len(np.unique(y))) < 2:
        raise UserError(f"{where[0]} has {values} different labels, expected at least two")
    scale = Target(target, float(y.mean()), float(y.std()), decimals_of(y))
    return Parts((), *train, *test, scale)
