"""What a row of a comparison is: a way to train, measured on the same real data."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tf_distill.subject import Subject


class Measured(NamedTuple):
    """What a row found: accuracies of all networks or sets, in words how, and rates if tuned."""

    accuracies: list[float]
    how: str
    lr: list[float] | None = None


Done = dict[str, dict[str, Any]]
"""Earlier rows by name, as comparison.json has them."""


class Row(NamedTuple):
    """An entry of the comparison; `measure` may look at earlier rows."""

    name: str
    group: str
    title: str
    measure: Callable[[Subject, Done], Measured]
    applies: Callable[[Subject], bool] = lambda subject: True
