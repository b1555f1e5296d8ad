"""From labels as a user has them to class names and class indices."""

import numbers
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tf_distill import config
from tf_distill.common import UserError, brief, say

SHOWN = 5
"""Names that an error gives at most."""
LONGEST = 500
"""Characters of the name of a class."""


def plain(labels: Iterable[Any], where: str) -> list[str]:
    """Labels as strings.

    Args:
        labels: strings, bytes or whole numbers, `[N]` or `[N, 1]`.
        where: they come from, for errors.

    Raises:
        UserError: a label that is none of these, with its position counted from 0.
    """
    if isinstance(labels, np.ndarray):
        if not labels.ndim:
            raise UserError(f"{where}: got one label, {brief(labels.item())}, expected a list")
        labels = (labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels).tolist()
    return [_plain(label, i, where) for i, label in enumerate(labels)]


def _plain(label: Any, position: int, where: str) -> str:
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str) and 0 < len(name := label.strip()) <= LONGEST:
        return name.encode("utf-8", "replace").decode()  # halves of surrogates can't be written
    if isinstance(label, numbers.Integral):
        return str(label)
    # Columns of whole numbers become floats in many programs once a value is missing.
    if isinstance(label, float) and float(label).is_integer():
        return str(int(label))
    several = isinstance(label, (list, tuple, np.ndarray)) and len(label) > 1
    hint = "if it is one-hot give y.argmax(1)" if several else "mend it or leave it out"
    raise UserError(
        f"{where}: label {position} is {brief(label)}, expected a whole number or a string of 1 to "
        f"{LONGEST} characters; {hint}"
    )


def ordered(names: Iterable[str]) -> list[str]:
    """Class names in order: by number where all are whole numbers, else by alphabet."""
    names = list(names)
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)


def class_names(labels: Sequence[str], where: str) -> tuple[str, ...]:
    """The classes of the training labels, each of which has at least two examples.

    Raises:
        UserError: fewer than two classes, or a class with one example.
    """
    counts = Counter(labels)
    if not counts:
        raise UserError(f"{where} has no examples, expected some of each class")
    single = ordered(name for name, count in counts.items() if count == 1)
    if len(single) > max(2, len(labels) // 4):
        raise UserError(
            f"{where}: {len(single)} of {len(counts)} classes have one example ({shown(single)}), "
            "expected at least two; are these the labels? Name the right ones"
        )
    if single:
        raise UserError(
            f"{where}: class {shown(single)} has one example, expected at least two; add some "
            "or leave the class out"
        )
    if len(counts) == 1:
        raise UserError(f"{where} has one class, {shown(counts)}, expected at least two")
    return tuple(ordered(counts))


def indices(labels: Sequence[str], classes: Sequence[str], where: str) -> np.ndarray:
    """Class indices, int32 `[N]`.

    Raises:
        UserError: labels that are no class of the training data.
    """
    number = {name: i for i, name in enumerate(classes)}
    if strange := ordered(set(labels) - number.keys()):
        raise UserError(
            f"{where}: class {shown(strange)} does not occur in the training data, which has "
            f"{shown(classes)}; leave it out or add it to the training data"
        )
    return np.array([number[label] for label in labels], np.int32)


def renamed(labels: Sequence[str], classes: Sequence[str], where: str) -> list[str]:
    """Labels by their names, where they are given as positions in `classes`.

    Raises:
        UserError: a label that is neither a name nor a position.
    """
    names = {str(i): name for i, name in enumerate(classes)}
    if set(labels) <= set(classes):
        return list(labels)
    if strange := ordered(set(labels) - names.keys()):
        raise UserError(
            f"{where}: label {shown(strange)} is not in classes, which are {shown(classes)}; "
            f"expected one of them or a number from 0 to {len(classes) - 1}"
        )
    return [names[label] for label in labels]


def shown(names: Iterable[str]) -> str:
    """A few names as text."""
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(brief(name) for name in names[:SHOWN]) + more


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
    seed = config.checked_number("seed", seed, "seed")
    given = tuple(plain(classes, "classes")) if classes is not None else None
    if given and len(set(given)) < len(given):
        raise UserError(f"two of the classes have one name: {shown(given)}; rename one")
    names_train = _names(*train, where[0], given)
    found = class_names(names_train, where[0])
    if given and (missing := [name for name in given if name not in found]):
        raise UserError(f"{where[0]}: class {shown(missing)} has no example, expected at least two")
    known = given or found
    y_train = indices(names_train, known, where[0])
    if test is None:
        return _held_out(known, train[0], y_train, seed)
    if not len(test[0]):
        raise UserError(f"{where[1]} has no examples, expected some; or leave the test data out")
    y_test = indices(_names(*test, where[1], given), known, where[1])
    return Parts(known, train[0], y_train, test[0], y_test)


def _names(
    x: np.ndarray, y: Iterable[Any], where: str, classes: tuple[str, ...] | None
) -> list[str]:
    names = plain(y, where)
    if len(names) != len(x):
        raise UserError(f"{where}: got {len(x)} inputs and {len(names)} labels, expected as many")
    return renamed(names, classes, where) if classes else names


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
