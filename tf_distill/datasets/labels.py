"""Labels: from a user's values to class names and class indices, and both splits of the data."""

import numbers
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tf_distill.common import UserError, brief, count, say
from tf_distill.datasets.base import Parts

TEST_PART = 0.2
MANY = 30
"""Whole numbers as labels look like quantities if there are more of them than this."""
QUANTITIES = "if these are quantities, of a table or of arrays, give task=regression"
ONE_CLASS = "each example has one class, not several labels"
SEPARATORS = ";", "|", ","
LABEL_NAMES = (
    "label", "class", "category", "target", "sentiment", "topic", "intent", "labels", "tag",
    "rating", "stars", "score", "y",
)  # fmt: skip
"""Columns that are taken for the labels, the first for choice."""


def make_parts(
    train: tuple[np.ndarray, Iterable[Any]],
    test: tuple[np.ndarray, Iterable[Any]] | None,
    where: tuple[str, str],
    classes: Iterable[str] | None = None,
    seed: int = 0,
) -> Parts:
    """Numbers the classes; holds a fifth out, stratified, if there are no test data.

    Both splits are inputs and labels; `where` are their names in errors. Labels are names of the
    classes or positions in them; without `classes` they are the sorted training labels. Labels
    that don't fit the inputs or the classes are a UserError.
    """
    given = tuple(label_names(classes, "classes")) if classes is not None else None
    if given and len(set(given)) < len(given):
        raise UserError(f"two of the classes have one name: {shown(given)}; rename one")
    names_train = _names(*train, where[0], given)
    found = class_names(names_train, where[0])
    if given and (missing := [name for name in given if name not in found]):
        raise UserError(f"{where[0]}: class {shown(missing)} has no example, expected at least two")
    known = given or found
    y_train = class_indices(names_train, known, where[0])
    if test is None:
        return _held_out(known, train[0], y_train, seed)
    if not len(test[0]):
        raise UserError(f"{where[1]} has no examples, expected some; or leave the test data out")
    y_test = class_indices(_names(*test, where[1], given), known, where[1])
    return Parts(known, train[0], y_train, test[0], y_test)


def _names(
    x: np.ndarray, y: Iterable[Any], where: str, classes: tuple[str, ...] | None
) -> list[str]:
    names = label_names(y, where)
    check_lengths(x, names, where)
    return names_of_positions(names, classes, where) if classes else names


def check_lengths(x: np.ndarray, labels: Sequence[Any], where: str) -> None:
    """Raises UserError unless there are as many labels as inputs."""
    if len(labels) != len(x):
        raise UserError(f"{where}: got {len(x)} inputs and {len(labels)} labels, expected as many")


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


def plain_values(values: Iterable[Any]) -> list[Any]:
    """Labels or texts of `[N]` or `[N, 1]` as Python's values, also of tensors or a Series."""
    if hasattr(values, "__array__"):
        values = np.asarray(values)
        values = (values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values).tolist()
    return [value.numpy() if hasattr(value, "numpy") else value for value in values]


def label_names(labels: Iterable[Any], where: str) -> list[str]:
    """Labels, strings, bytes or whole numbers of `[N]` or `[N, 1]`, as strings.

    UserError for any other label, with its position counted from 0.
    """
    labels = plain_values(labels)
    names = [_label_name(label) for label in labels]
    if None in names:
        bad = names.index(None)
        raise UserError(
            f"{where}: label {bad} is {brief(labels[bad])}, expected a whole number or a string; "
            f"{label_advice(labels[bad], labels)}"
        )
    return [name for name in names if name is not None]


def _label_name(label: Any) -> str | None:
    """A label as a string; None if it is none."""
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, str) and label.strip():
        return label.strip()
    if isinstance(label, numbers.Integral | pd.Interval):
        return str(label)
    # In many programs a missing value makes floats of a column of whole numbers.
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return None


def label_advice(label: Any, labels: Sequence[Any]) -> str:
    """What to do about a label that is none, by what all labels look like."""
    if isinstance(label, float) and np.isfinite(label):
        return (
            f"{QUANTITIES}; or cut them into ranges by numpy.digitize(labels, edges), or make "
            "strings of them if each number is a class"
        )
    if not isinstance(label, list | tuple | set | np.ndarray) or len(label) < 2:
        return "mend it or leave it out"
    try:
        table = np.asarray(labels, np.float64)
    except (TypeError, ValueError):  # names, or rows of several lengths
        table = np.zeros((0, 0))
    if table.size and (table >= 0).all() and np.allclose(table.sum(-1), 1):
        return "as these are one-hot or probabilities give labels.argmax(1)"
    column = ", such as labels[:, 0]" if table.size else ""
    return f"{ONE_CLASS}: give one label of each{column}"


def sort_names(names: Iterable[str]) -> list[str]:
    """Class names sorted by number if all are whole numbers, otherwise by alphabet."""
    names = list(names)
    try:
        return sorted(names, key=int)
    except ValueError:
        return sorted(names)


def class_names(labels: Sequence[str], where: str) -> tuple[str, ...]:
    """The sorted classes; UserError if they are fewer than two, or one has only one example."""
    counts = Counter(labels)
    if not counts:
        raise UserError(f"{where} has no examples, expected some of each class")
    odd = _looks_like(counts)
    single = sort_names(name for name, count in counts.items() if count == 1)
    if len(single) > max(2, len(labels) // 4):
        advice = f"are these the labels? Name the right ones; {QUANTITIES}"
        raise UserError(
            f"{where}: {len(single)} of {len(counts)} classes have one example ({shown(single)}), "
            f"expected at least two; {odd or advice}"
        )
    if single:
        raise UserError(
            f"{where}: class {shown(single)} has one example, expected at least two; "
            f"{odd or 'add some or leave the class out'}"
        )
    if len(counts) == 1:
        raise UserError(f"{where} has one class, {shown(counts)}, expected at least two")
    if odd:
        say(f"warning: {where}: {odd}; now each of these {len(counts)} is a class of its own")
    return tuple(sort_names(counts))


def _looks_like(names: Iterable[str]) -> str:
    """What to do where names seem to be quantities, several labels in one, or one; else ""."""
    names = sorted(names)
    if all(map(_is_number, names)):
        if fractions := [name for name in names if not float(name).is_integer()]:
            return f"{QUANTITIES}; or cut numbers such as {brief(fractions[0])} into ranges"
        numbered = sorted(map(float, names)) in (
            [*map(float, range(start, start + len(names)))] for start in (0, 1)
        )
        return QUANTITIES if len(names) > MANY and not numbered else ""
    if alike := _alike(names):
        return alike
    for separator in SEPARATORS:
        parts = {name: [part.strip() for part in name.split(separator)] for name in names}
        number = Counter(part for several in parts.values() for part in several)
        for name, several in parts.items():
            if len(several) > 1 and all(number[part] > 1 for part in several):
                return f"{ONE_CLASS}: give one label in place of, for instance, {brief(name)}"
    return ""


def _alike(names: Iterable[str]) -> str:
    """What to do about class names that differ only in case; else "". Single letters may do so."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    found = next((group for group in groups.values() if len(group) > 1 < len(group[0])), None)
    return f"{shown(found)} differ only in case: give them one name" if found else ""


def _is_number(name: str) -> bool:
    try:
        return np.isfinite(float(name))
    except ValueError:
        return False


def class_indices(labels: Sequence[str], classes: Sequence[str], where: str) -> np.ndarray:
    """Class indices, int32 `[N]`; UserError if a label is no class of the training data."""
    number = {name: i for i, name in enumerate(classes)}
    if strange := sort_names(set(labels) - number.keys()):
        raise UserError(
            f"{where}: class {shown(strange)} does not occur in the training data, which has "
            f"{shown(classes)}; "
            + (_alike([*classes, *strange]) or "leave it out or add it to the training data")
        )
    return np.array([number[label] for label in labels], np.int32)


def names_of_positions(labels: Sequence[str], classes: Sequence[str], where: str) -> list[str]:
    """Labels that are class names or positions in `classes`, all as names; else a UserError."""
    names = {str(i): name for i, name in enumerate(classes)}
    if set(labels) <= set(classes):
        return list(labels)
    if strange := sort_names(set(labels) - names.keys()):
        raise UserError(
            f"{where}: label {shown(strange)} is not in classes, which are {shown(classes)}; "
            f"expected one of them or a number from 0 to {len(classes) - 1}"
        )
    return [names[label] for label in labels]


def labels_in_words(parts: Parts) -> str:
    """The labels of both splits: 2 classes: cat 12, dog 9; or the range of a quantity."""
    y = np.concatenate([parts.y_train, parts.y_test])
    if target := parts.target:
        low, high, mean = map(target.written, (y.min(), y.max(), y.mean()))
        return f"{brief(target.name)} is from {low} to {high}, with a mean of {mean}"
    return counts_in_words(class_counts(parts.classes, y))


def class_counts(classes: Sequence[str], y: np.ndarray) -> dict[str, int]:
    """The number of examples of each class, by class indices `[N]`."""
    return dict(zip(classes, np.bincount(y, minlength=len(classes)).tolist(), strict=True))


def counts_in_words(numbers: Mapping[str, int], most: int = 12) -> str:
    """Classes with the number of their examples: of many the largest and the smallest."""
    ranked = sorted(numbers.items(), key=lambda item: -item[1])
    told = ranked if len(ranked) <= most else [*ranked[:3], *ranked[-2:]]
    words = [f"{name} {number}" for name, number in told]
    if len(told) < len(ranked):
        words.insert(3, "...")
    return f"{count(len(ranked), 'class', 'classes')}: {', '.join(words)}"


def shown(names: Iterable[str], most: int = 5) -> str:
    """At most so many names, for an error."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(brief(name) for name in names[:most]) + more
