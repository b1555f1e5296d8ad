"""What each column of a table needs, learned from training rows by scikit-learn; `columns` has it.

A column is clean when its numbers and moments are as they are, and all else words.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from tf_distill.common import UserError, brief, say
from tf_distill.datasets.columns import ISO_DATE, LARGEST, MISSING, Column
from tf_distill.datasets.labels import shown

MOSTLY = 0.9
"""A column is of numbers or dates if so many of its values, or of its different values, are; the
rest count as missing."""
LOOKED_AT = 1000
"""Values that are looked at first, at least where there are so many."""
HEAVY = 8.0
"""So many standard deviations from the mean a value has a heavy tail: quantiles scale it."""
DECIMAL = r"[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?"
THOUSANDS = r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?"
"""Numbers with a comma, as many countries write 1.5, and others 1500."""
QUANTILES, MOST_DECIMALS = 100, 6
MOST_CATEGORIES = 32
"""Categories of a column; rarer ones are seen as one."""
FEWEST_NUMBERED = 10
"""Rows from which on a column can be seen to number them."""
LOOKS = {
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}( .*)?|\d{4}[/.]\d{1,2}[/.]\d{1,2}( .*)?|\d{1,2}/\d{1,2}/\d{2}":
        "looks like dates: write 2024-12-31",
    r"[-+]?[$€£] ?[-+]?[\d.,]+|[-+]?[\d.,]+ ?[$€£%]":
        "looks like numbers with $ or %: leave the sign out",
}  # fmt: skip
"""Words that were meant as something else, and what to do about them."""
NAMES_TOLD = 8
"""Columns of a kind that are named when data are read."""


class _Values(NamedTuple):
    """What a column is found to be: its kind, values, and a note; a kind of "" leaves it out.

    commas: what they are in its numbers, as for `Column`.
    """

    kind: str
    values: Any
    note: str = ""
    commas: str = ""


def learn_columns(frame: pd.DataFrame, where: str) -> tuple[Column, ...]:
    """What each column needs, learned from training rows; prints how each is seen.

    Raises:
        UserError: no column can be used.
    """
    found = {name: _understood(frame[name]) for name in frame.columns}
    used = {name: f for name, f in found.items() if f.kind}
    for line in _told(found):
        say(f"{where}: {line}")
    if not used:
        raise UserError(f"{where} has no column that can be used, expected numbers or categories")
    return tuple(_learned(name, f) for name, f in used.items())


def stored_rows(frame: pd.DataFrame, columns: Sequence[Column], where: str) -> np.ndarray:
    """The rows as a `TableEncoding` takes them, float64 `[N, columns]`.

    Lines tell of categories that the columns do not know; `where` is the name of the rows.

    Raises:
        UserError: a column is missing.
    """
    if lost := [column.name for column in columns if column.name not in frame.columns]:
        raise UserError(
            f"{where} has no column {shown(lost)}, expected the columns of the training data"
        )
    rows = np.empty((len(frame), len(columns)))
    for i, column in enumerate(columns):
        values = _as_kind(_clean(frame[column.name]), column.kind, column.commas)
        if not column.is_category:
            rows[:, i] = values
            continue
        rows[:, i] = pd.Index(column.categories).get_indexer(values)
        unknown = rows[:, i] < 0
        if column.other:
            rows[unknown, i] = len(column.categories)
        elif unknown.any():
            names = sorted(set(values[unknown]))
            say(f"{where}: {int(unknown.sum())} rows have a {brief(column.name)} that the training "
                f"data do not have: {shown(names)}")  # fmt: skip
    return rows


def check_written_alike(frame: pd.DataFrame, columns: Sequence[Column], where: str) -> None:
    """Raises UserError for a column of numbers or dates that most of another table has not."""
    for column in columns:
        if column.is_category or column.name not in frame.columns:
            continue
        there = _there(_clean(frame[column.name]))
        if len(there) and _readable(there, column.kind, column.commas) < 1 - MOSTLY:
            raise UserError(
                f"{where}: most values of {brief(column.name)} are no {column.kind}s, such as "
                f"{brief(there.iloc[0])}, expected them as in the training data; write both the "
                "same way"
            )


def _understood(values: pd.Series) -> _Values:
    """What a column of training rows is."""
    from pandas.api import types

    if types.is_complex_dtype(values) or (types.is_object_dtype(values) and _nested(values)):
        return _Values("", None, "neither numbers nor words")
    clean = _clean(values)
    if types.is_datetime64_any_dtype(clean):
        return _number("date", clean)
    if types.is_numeric_dtype(clean):
        return _number("number", clean)
    if not (types.is_bool_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype)):
        there = _there(clean)
        some = there.iloc[:: 1 + len(there) // LOOKED_AT]  # most columns of words need no more
        for kind, commas in (("number", _commas(some)), ("date", "")):
            if _share(some, kind, commas) > 0 and _readable(there, kind, commas) >= MOSTLY:
                return _number(kind, clean, commas)
    return _category(clean)


def _there(clean: pd.Series) -> pd.Series:
    """The values of a clean column that are not missing."""
    return clean[(clean.notna() & (clean != "")).to_numpy(bool)]


def _readable(there: pd.Series, kind: str, commas: str) -> float:
    """The part of the values, or of the different ones, that are numbers or dates."""
    return max(_share(words, kind, commas) for words in (there, there.drop_duplicates()))


def _share(words: pd.Series, kind: str, commas: str) -> float:
    """The part of the words that are numbers or dates; 0 without any."""
    return float(np.isfinite(_as_kind(words, kind, commas)).sum() / max(1, len(words)))


def _commas(words: pd.Series) -> str:
    """What commas in numbers are, "decimal" or "thousands": that by which more words are some."""
    ways = ("", "thousands", "decimal") if words.str.contains(",").any() else ("",)
    return max(ways, key=lambda commas: np.isfinite(_as_kind(words, "number", commas)).sum())


def _nested(values: pd.Series) -> bool:
    return any(isinstance(value, list | dict | set | tuple | np.ndarray) for value in values)


def _clean(values: pd.Series) -> pd.Series:
    """Numbers and moments as they are; all else as words, "" for a missing one."""
    from pandas.api import types

    apart = types.is_bool_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype)
    if not apart and (types.is_numeric_dtype(values) or types.is_datetime64_any_dtype(values)):
        return values
    if not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(object).where(values.notna(), "").map(str)
    words = values.fillna("").astype("str").str.strip()
    return words.where(~words.isin(MISSING), "")


def _number(kind: str, clean: pd.Series, commas: str = "") -> _Values:
    numbers = _as_kind(clean, kind, commas)
    here = numbers[np.isfinite(numbers)]
    if not len(here):
        return _Values("", None, "no values")
    if len(here) == len(numbers) and (here == here[0]).all():
        return _Values("", None, "always the same")
    if _numbers_rows(here):
        return _Values("", None, "numbers the rows")
    strange = _there(clean[~np.isfinite(numbers)])
    notes = [f"{len(strange)} such as {strange.iloc[0]} as missing"] if len(strange) else []
    lacking = len(numbers) - len(here) - len(strange)
    notes += [f"{lacking} missing"] if lacking and not notes else []
    if commas == "thousands":
        place = int(clean.str.contains(",").to_numpy().argmax())
        notes.append(f"{clean.iloc[place]} as {numbers[place]:.12g}")
    return _Values(kind, numbers, "; ".join(notes), commas)


def plain_quantity(values: pd.Series) -> pd.Series:
    """Words that all are numbers, some with decimal commas, as numbers; others as they are."""
    clean = _clean(values)
    if not pd.api.types.is_string_dtype(clean) or not clean.str.contains(",").any():
        return values
    found = _as_kind(clean, "number", _commas(clean))
    return values if len(_there(clean[~np.isfinite(found)])) else pd.Series(found, values.index)


def _numbers_rows(here: np.ndarray) -> bool:
    """Whether whole numbers are nearly all different, and nearly as dense as the rows."""
    if len(here) < FEWEST_NUMBERED or (here != np.round(here)).any():
        return False
    return np.ptp(here) < 1.5 * len(here) and len(np.unique(here)) >= MOSTLY * len(here)


def _category(clean: pd.Series) -> _Values:
    names = _as_kind(clean, "category")
    numbers = clean.value_counts()
    if set(numbers.index) <= {""}:
        return _Values("", None, "no values")
    if len(numbers) == 1:
        return _Values("", None, "always the same")
    look = _look(numbers.index)
    if len(numbers) > MOST_CATEGORIES and 2 * len(numbers) > len(names):
        return _Values("", None, look or "mostly different words")
    lacking = int(numbers.get("", 0))
    notes = [look] * bool(look) + [f"{lacking} missing"] * bool(lacking)
    return _Values("category", names, "; ".join(notes))


def _look(different: pd.Index) -> str:
    """What the different words of a column look like, and what to do about it; "" for words."""
    some = different[different != ""][:LOOKED_AT].str
    return next((told for form, told in LOOKS.items() if some.fullmatch(form).mean() >= MOSTLY), "")


def _as_kind(clean: pd.Series, kind: str, commas: str = "") -> np.ndarray:
    """A clean column as numbers, as days from 1970 (NaN for all other values), or as strings."""
    from pandas.api import types

    if kind == "category":
        return _words(clean).to_numpy(object)
    if kind == "date":
        if not types.is_datetime64_any_dtype(clean):
            clean = _words(clean)
            clean = clean.where(clean.str.fullmatch(ISO_DATE), None)
        moments = pd.to_datetime(clean, format="ISO8601", utc=True, errors="coerce")
        return ((moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(np.float64)
    if not types.is_numeric_dtype(clean):
        words = _words(clean)
        if commas == "decimal":
            plain = words.str.replace(".", "").str.replace(",", ".")
            words = plain.where(words.str.fullmatch(DECIMAL), words)
        elif commas == "thousands":
            words = words.str.replace(",", "").where(words.str.fullmatch(THOUSANDS), words)
        clean = pd.to_numeric(words, errors="coerce")
    numbers = clean.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.abs(numbers) < LARGEST, numbers, np.nan)


def _words(clean: pd.Series) -> pd.Series:
    """A clean column as words, also where it has numbers in another split."""
    from pandas.api import types

    return clean if types.is_string_dtype(clean) else _clean(clean.astype(object))


def _learned(name: str, found: _Values) -> Column:
    """What scikit-learn learns of the values of a column."""
    if found.kind == "category":
        return _learned_category(name, found.values)
    lacking = np.isnan(found.values)
    here = found.values[~lacking]
    fill = float(np.median(here))
    column = Column(
        name,
        found.kind,
        fill=fill,
        missing=bool(lacking.any()),
        decimals=decimals_of(here),
        commas=found.commas,
    )
    filled = np.where(lacking, fill, found.values)[:, np.newaxis]
    if np.abs(here - here.mean()).max() > HEAVY * here.std() > 0:
        number = min(QUANTILES, len(filled))
        places = QuantileTransformer(n_quantiles=number, random_state=0).fit(filled)
        return column._replace(quantiles=tuple(places.quantiles_[:, 0].tolist()))
    scaler = StandardScaler().fit(filled)
    return column._replace(mean=float(scaler.mean_[0]), std=float(scaler.scale_[0]))


def _learned_category(name: str, values: np.ndarray) -> Column:
    most = MOST_CATEGORIES if len(pd.unique(values)) > MOST_CATEGORIES else None
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=most)
    encoder.fit(values[:, np.newaxis])
    rare = set(encoder.infrequent_categories_[0]) if most else set()
    frequent = tuple(c for c in encoder.categories_[0] if c not in rare)
    return Column(name, "category", categories=frequent, other=bool(rare))


def decimals_of(values: np.ndarray) -> int:
    """The decimals that all values have, at most; if they have many, enough for their spread."""
    here = values[np.isfinite(values)]
    near = 1e-9 * np.maximum(1, np.abs(here))
    for decimals in range(MOST_DECIMALS):
        if (np.abs(np.round(here, decimals) - here) <= near).all():
            return decimals
    middle = np.subtract(*np.quantile(here, [0.9, 0.1])) or np.abs(here).max()
    return int(np.clip(3 - np.floor(np.log10(middle)), 0, 15))


def _told(found: dict[str, _Values]) -> list[str]:
    """How the columns are seen, a line for each kind."""
    lines = []
    titles = {"number": "numbers", "date": "dates", "category": "categories", "": "left out"}
    for kind, title in titles.items():
        named = {name: f.note for name, f in found.items() if f.kind == kind}
        noted = sorted(named, key=lambda name: not named[name])  # those with a note first
        words = [f"{brief(n)} ({named[n]})" if named[n] else brief(n) for n in noted[:NAMES_TOLD]]
        more = [f"{len(named) - NAMES_TOLD} more"] if len(named) > NAMES_TOLD else []
        lines += [f"{len(named)} {title}: {', '.join([*words, *more])}"] if named else []
    return lines
