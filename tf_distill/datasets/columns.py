"""The columns of a table: how each becomes what a network sees, as data that a card can hold.

What a network sees of a row are, in this order: the numbers and dates, scaled; 1 for each value of
these that is missing, where the training data have such; and a 1 at the place of each category.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from tf_distill.datasets.base import Encoding

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
"""Words for a value that is missing."""
ISO_DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?"
"""Dates, with or without a time, as they are read."""
LARGEST = 1e30
"""Numbers from here on count as missing, as infinite ones do."""
OTHER = "(other)"
"""How a rare category is written."""
REACH = float(ndtri(1 - (1e-7 - np.spacing(1))))
"""The largest number that scikit-learn's QuantileTransformer gives for a normal distribution."""
BOUND = 1e-7
"""How near to the first or last quantile a value counts as beyond it, as there."""


class Column(NamedTuple):
    """One column: its kind, "number", "date" or "category", and what the training data tell of it.

    A number or date (in days from 1970) is scaled: less `mean`, divided by `std`; or, with
    `quantiles`, by its place among these to the normal distribution. A missing one is `fill`;
    `missing` says whether the network sees that it is. It is written with so many `decimals`;
    `commas` says what a comma is in numbers that are given as words: "decimal" or "thousands".

    Categories are those that are seen, "" for a missing one; `other` says whether all further ones
    are seen as one.
    """

    name: str
    kind: str
    fill: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    quantiles: tuple[float, ...] = ()
    missing: bool = False
    decimals: int = 0
    commas: str = ""
    categories: tuple[str, ...] = ()
    other: bool = False

    @property
    def is_category(self) -> bool:
        """Whether it has categories, not numbers."""
        return self.kind == "category"

    @property
    def width(self) -> int:
        """The numbers that the network sees of its category."""
        return len(self.categories) + self.other

    def described(self) -> dict[str, Any]:
        """Its fields, as JSON can hold them; those of the other kinds are left out."""
        numbers = ["fill", "mean", "std", "quantiles", "missing", "decimals"]
        apart = [*numbers] if self.is_category else ["categories", "other"]
        apart += [] if self.commas else ["commas"]
        return {name: value for name, value in self._asdict().items() if name not in apart}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Column":
        """The column of a description, which may have more."""
        known: dict[str, Any] = {k: v for k, v in described.items() if k in cls._fields}
        lists = {k: tuple(v) for k, v in known.items() if isinstance(v, list)}
        return cls(**(known | lists))


class TableEncoding(Encoding):
    """Rows as a network sees them.

    A stored row has a float64 for each column: a number, days from 1970, or the place of a
    category; NaN is a missing number, and -1 a category that is not known.
    """

    kind = "table"

    def __init__(self, columns: Iterable[Column]):
        self.columns = tuple(columns)
        self._numbers = [i for i, column in enumerate(self.columns) if not column.is_category]
        self._flags = [i for i in self._numbers if self.columns[i].missing]
        self._categories = [i for i, column in enumerate(self.columns) if column.is_category]
        widths = [self.columns[i].width for i in self._categories]
        self.shape = (len(self._numbers) + len(self._flags) + sum(widths),)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Stored rows `[batch, columns]` to float32 `[batch, *shape]`."""
        x = tf.cast(x, tf.float64)
        parts = []
        if self._numbers:
            parts.append(self._scaled(tf.gather(x, self._numbers, axis=1)))
        if self._flags:
            here = _is_number(tf.gather(x, self._flags, axis=1))
            parts.append(1 - tf.cast(here, tf.float64))
        for i in self._categories:
            place = tf.cast(x[:, i], tf.int32)
            parts.append(tf.one_hot(place, self.columns[i].width, dtype=tf.float64))
        return tf.cast(tf.concat(parts, axis=1), tf.float32)

    def metadata(self) -> dict[str, Any]:
        """Kind, shape and the columns."""
        described = [column.described() for column in self.columns]
        return {"kind": self.kind, "shape": self.shape, "columns": described}

    def stores_as(self, other: Encoding) -> bool:
        """Whether stored rows of another encoding mean the same here, whatever their scales."""
        stored = [
            [(column.name, column.kind, column.categories) for column in encoding.columns]
            for encoding in (self, other)
            if isinstance(encoding, TableEncoding)
        ]
        return len(stored) == 2 and stored[0] == stored[1]

    def decode(self, x: np.ndarray) -> np.ndarray:
        """The nearest rows that there can be, stored, of what the network sees `[N, *shape]`."""
        rows = np.empty((len(x), len(self.columns)))
        flags, start = len(self._numbers), len(self._numbers) + len(self._flags)
        for i, z in zip(self._numbers, x.T, strict=False):
            rows[:, i] = np.round(_unscaled(self.columns[i], z), self.columns[i].decimals)
        for i, flag in zip(self._flags, x.T[flags:], strict=False):
            rows[flag > 0.5, i] = np.nan
        for i in self._categories:
            end = start + self.columns[i].width
            rows[:, i] = x[:, start:end].argmax(1)
            start = end
        return rows

    def written(self, rows: np.ndarray) -> list[list[str]]:
        """Stored rows as people write them."""
        return [
            [_written(column, value) for column, value in zip(self.columns, row, strict=True)]
            for row in rows.tolist()
        ]

    def stored(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """The stored rows of values by column, each `[batch]`: float64, or strings but for numbers.

        In the graph: words for a missing value, categories that are not known and dates mean what
        they meant in the training data.
        """
        kinds = {"number": lambda _, value: value, "date": lambda _, value: days(value)}
        read = [
            kinds.get(column.kind, places)(column, value)
            for column, value in zip(self.columns, values, strict=True)
        ]
        return tf.stack(read, axis=1)

    def _scaled(self, x: tf.Tensor) -> tf.Tensor:
        columns = [self.columns[i] for i in self._numbers]
        fill, mean, std = (
            tf.constant([getattr(c, name) for c in columns], tf.float64)
            for name in ("fill", "mean", "std")
        )
        x = tf.where(_is_number(x), x, fill)
        scaled = (x - mean) / std
        if not any(column.quantiles for column in columns):
            return scaled
        parts = [
            _by_quantiles(x[:, i], column.quantiles) if column.quantiles else scaled[:, i]
            for i, column in enumerate(columns)
        ]
        return tf.stack(parts, axis=1)


def _is_number(x: tf.Tensor) -> tf.Tensor:
    return tf.abs(x) < LARGEST  # not so for a NaN


def _by_quantiles(x: tf.Tensor, quantiles: Sequence[float]) -> tf.Tensor:
    """As scikit-learn's QuantileTransformer: equal quantiles have the mean of their places."""
    q = tf.constant(quantiles, tf.float64)
    last = len(quantiles) - 1
    share = tf.linspace(tf.constant(0.0, tf.float64), 1.0, last + 1)
    before = tf.clip_by_value(tf.searchsorted(q, x, "right") - 1, 0, last - 1)
    after = tf.clip_by_value(tf.searchsorted(q, x, "left"), 1, last)

    def between(i: tf.Tensor) -> tf.Tensor:
        """The place of x from quantile i to i + 1."""
        low, high = tf.gather(q, i), tf.gather(q, i + 1)
        part = tf.math.divide_no_nan(x - low, high - low)
        return tf.gather(share, i) + part / last

    place = (between(before) + between(after - 1)) / 2
    place = tf.where(x - BOUND < q[0], tf.zeros_like(x), place)
    place = tf.where(x + BOUND > q[-1], tf.ones_like(x), place)
    return tf.clip_by_value(tf.math.ndtri(place), -REACH, REACH)


def _unscaled(column: Column, z: np.ndarray) -> np.ndarray:
    z = np.asarray(z, np.float64)
    if not column.quantiles:
        return z * column.std + column.mean
    return np.interp(ndtr(z), np.linspace(0, 1, len(column.quantiles)), column.quantiles)


def _written(column: Column, value: float) -> str:
    if column.is_category:
        place = int(value)
        return [*column.categories, OTHER][place] if place >= 0 else OTHER
    if np.isnan(value):
        return ""
    if column.kind == "number":
        return f"{value:.{column.decimals}f}"
    moment = np.datetime64(0, "s") + np.timedelta64(round(value * 86400), "s")
    text = str(moment).replace("T", " ")
    return text if column.decimals else text[:10]


def places(column: Column, values: tf.Tensor) -> tf.Tensor:
    """The places of categories, strings `[batch]`, float64; -1 for one that is not known."""
    values = tf.strings.strip(values)
    missing = tf.reduce_any(values[:, None] == tf.constant(MISSING), axis=1)
    values = tf.where(missing, "", values)
    same = values[:, None] == tf.constant(column.categories)
    place = tf.argmax(same, axis=1)
    unknown = len(column.categories) if column.other else -1
    place = tf.where(tf.reduce_any(same, axis=1), place, tf.constant(unknown, tf.int64))
    return tf.cast(place, tf.float64)


def days(values: tf.Tensor) -> tf.Tensor:
    """Days from 1970 of dates as `ISO_DATE` `[batch]`, float64; NaN for all other texts."""
    values = tf.strings.regex_replace(tf.strings.strip(values), "Z$", "")
    known = tf.strings.regex_full_match(values, ISO_DATE)
    values = tf.where(known, values, "1970-01-01")
    length = tf.strings.length(values)
    values = tf.strings.join(
        [values, tf.where(length == 10, " 00:00:00", tf.where(length == 16, ":00", ""))]
    )

    def part(start: int, size: int) -> tf.Tensor:
        return tf.strings.to_number(tf.strings.substr(values, start, size), tf.float64)

    hour, minute, second = part(11, 2), part(14, 2), part(17, 20)
    time = (hour * 3600 + minute * 60 + second) / 86400
    # Of the proleptic Gregorian calendar, with years that begin in March.
    month, floor = part(5, 2), tf.floor
    year = part(0, 4) - tf.cast(month <= 2, tf.float64)
    of_year = floor((153 * ((month + 9) % 12) + 2) / 5) + part(8, 2) - 1
    leaps = floor(year / 4) - floor(year / 100) + floor(year / 400)
    found = 365 * year + leaps + of_year - 719468 + time
    return tf.where(known, found, tf.constant(np.nan, tf.float64))
