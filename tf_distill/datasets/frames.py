"""Tables of numbers and categories as a dataset: files and DataFrames."""

import numbers
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tf_distill.common import UserError, brief, count, reason, say, unpacked
from tf_distill.datasets import row_files
from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.checks import warn
from tf_distill.datasets.columns import MISSING, TableEncoding
from tf_distill.datasets.labels import LABEL_NAMES, labels_in_words, shown
from tf_distill.datasets.preprocessing import (
    check_written_alike,
    learn_columns,
    plain_quantity,
    stored_rows,
)
from tf_distill.datasets.quantities import REGRESSION, parts_of
from tf_distill.datasets.tables import LOOKED_AT, by_name
from tf_distill.datasets.text_files import find_encoding, is_number

PARQUET = (".parquet", ".pq")


def from_table(
    train: Any,
    target: str | int,
    test: Any = None,
    *,
    task: str | None = None,
    classes: Sequence[str] | None = None,
    name: str = "table",
    seed: int = 0,
) -> Dataset:
    """A dataset of the rows of a table, whose columns are numbers, categories or dates.

    Args:
        train: a pandas DataFrame, what `pandas.DataFrame` makes one of, or the path of a file:
            CSV, TSV, JSON or Parquet.
        target: the column with the classes, strings or whole numbers, or with a quantity. Rows
            without a value there are left out. In a file without names of columns it is a
            position, from 1.
        test: likewise, with the same columns; without it a fifth of the rows, stratified, is held
            out.
        task: "regression" for a quantity, "classes"; by default a quantity if the target has
            numbers with fractions.
        classes: names in the order of the outputs; by default the sorted classes.
        name: of the dataset.
        seed: of the part that is held out.

    Raises:
        UserError: no such column, no column that can be used, or a target that has neither
            classes nor numbers.
    """
    if not isinstance(target, str | numbers.Integral):
        raise UserError(
            f"target is of type {type(target).__name__}, expected the name of a column; put the "
            'labels y into the table X: from_table(X.assign(target=y), "target"); for arrays use '
            "from_arrays(X, y)"
        )
    tables = [table for table in (train, test) if table is not None]
    frames = [as_frame(table, str(target)) for table in tables]
    where = (_place(train, "train"), _place(test, "test"))
    parts, encoding = table_parts(frames, str(target), where, task, classes, seed)
    return table_dataset(name, parts, encoding)


def read_tables(
    train: str, test: str | None, label_column: str | None, task: str | None = None
) -> tuple[Parts, TableEncoding]:
    """The stored rows and the labels of a file, or of a training and a test file.

    Raises:
        UserError: no such file or column, or a file that can't be read.
    """
    frames = [as_frame(path, label_column) for path in (train, test) if path is not None]
    target = label_column or by_name([*frames[0].columns], LABEL_NAMES)
    if target is None:
        raise UserError(
            f"{train}: it is not clear which column has the labels; name it with label_column: "
            f"one of {shown(frames[0].columns, 20)}"
        )
    return table_parts(frames, target, (str(train), str(test or train)), task)


def table_dataset(name: str, parts: Parts, encoding: TableEncoding) -> Dataset:
    """The dataset of stored rows."""
    return warn(parts.dataset(name, encoding))


def table_parts(
    frames: Sequence[pd.DataFrame],
    target: str,
    where: tuple[str, str],
    task: str | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Parts, TableEncoding]:
    """Stored rows `[N, columns]` and labels of both splits, and how a network sees the rows.

    Args:
        frames: the training rows, and the test rows if they are apart.
        target: the column with the labels.
        where: names of both in errors.
        task: as for `from_table`.
        classes: as for `from_table`.
        seed: of the part that is held out.
    """
    labelled = [_labelled(f, target, w, task) for f, w in zip(frames, where, strict=False)]
    pairs = [(np.arange(len(frame)), labels) for frame, labels in labelled]
    test_pair = pairs[1] if pairs[1:] else None
    parts = parts_of(pairs[0], test_pair, where, task, classes, seed, target)
    train = labelled[0][0].iloc[parts.x_train]
    test = labelled[-1][0].iloc[parts.x_test]
    encoding = TableEncoding(learn_columns(train, where[0]))
    if test_pair:
        check_written_alike(test, encoding.columns, where[1])
    stored = [
        stored_rows(frame, encoding.columns, w)
        for frame, w in zip((train, test), where, strict=True)
    ]
    parts = parts._replace(x_train=stored[0], x_test=stored[1])
    say(f"the labels are those of {brief(target)}; {labels_in_words(parts)}")
    return parts, encoding


def _place(table: Any, split: str) -> str:
    """What errors call a table."""
    return str(table) if isinstance(table, str | Path) else split


def as_frame(table: Any, label_column: str | None = None) -> pd.DataFrame:
    """A table of any kind as one of pandas, whose columns have names that are strings.

    `label_column` is as for `read_frame`, which reads the file where a table is a path.
    """
    if isinstance(table, str | Path):
        return read_frame(Path(table).expanduser(), label_column)
    table = table.to_pandas() if hasattr(table, "to_pandas") else table
    try:
        frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"a table is of type {type(table).__name__} ({reason(error)}), expected a DataFrame"
        ) from None
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def read_frame(path: Path, label_column: str | None = None) -> pd.DataFrame:
    """Reads a file.

    If the first line of CSV names no columns, these are positions from 1, as `label_column` is.

    Raises:
        UserError: no such file, another ending, or a file that can't be read.
    """
    ending = row_files.ending_of(path, PARQUET)
    if ending in PARQUET:
        try:
            return as_frame(pd.read_parquet(path))
        except ImportError:
            raise UserError(f"{path} needs pyarrow; install it: pip install pyarrow") from None
        except (OSError, ValueError) as error:
            raise UserError(f"can't read {path} ({reason(error)}), expected Parquet") from None
    encoding = find_encoding(path)
    if ending in row_files.JSON:
        rows = [row for _, row in row_files.json_rows(path, encoding)]
        if not rows:
            raise UserError(f"{path} has no rows, expected a list of objects")
        return pd.DataFrame.from_records(rows)
    return _read_csv(path, encoding, row_files.DELIMITERS[ending], label_column)


def _read_csv(path: Path, encoding: str, delimiters: str, label: str | None) -> pd.DataFrame:
    dialect = row_files.find_dialect(path, encoding, delimiters, LOOKED_AT)
    rows = row_files.csv_fields(path, encoding, dialect)
    line, first = next(rows, (1, [""]))
    second, _ = next(rows, (line + 1, []))
    names = [name.strip() for name in first]
    number = next(filter(is_number, names), None)
    counted = names == [str(i) for i in range(len(names))]  # as pandas numbers columns
    if counted or (label in names and not label.isdecimal()):
        number = None
    headless = label is not None and label.isdecimal() and bool(number or label not in names)
    if headless:
        names = [str(i) for i in range(1, len(names) + 1)]
    elif number:
        raise UserError(
            f"{path}: line 1 looks like a row ({number} is a number), expected names of columns; "
            f"put them before it, or count from 1: label_column={len(names)} for the last one "
            f"(of from_table target={len(names)})"
        )
    if not any(names):
        raise UserError(f"{path} has no rows, expected some below the names of columns")
    row_files.check_names(names, str(path))
    unnamed = {name or f"unnamed {i}": not name for i, name in enumerate(names)}
    options: dict[str, Any] = {
        **dialect._asdict(),
        "encoding": encoding,
        "header": None,
        "names": list(unnamed),
        "skiprows": (line if headless else second) - 1,
        "index_col": False,
        "keep_default_na": False,
        "na_values": [*MISSING],
        "doublequote": dialect.escapechar is None,
        "low_memory": False,
    }

    def read(**more: Any) -> Any:
        with unpacked(path) as file, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it would drop fields
            return pd.read_csv(file, **options, **more)

    try:
        frame = read()
        # A served model meets the words as they are written, such as true and TRUE.
        kinds = {name: pd.api.types.infer_dtype(frame[name], skipna=True) for name in frame}
        if truths := [name for name, kind in kinds.items() if kind == "boolean"]:
            frame[truths] = read(usecols=truths, dtype=str)
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeError) as error:
        _check_widths(path, encoding, dialect)
        raise UserError(f"{path}: {reason(error)}; mend this line") from None
    if frame.iloc[:, -1].isna().any():  # pandas fills up rows that are too short
        _check_widths(path, encoding, dialect)
    frame = frame.drop(columns=[name for name, lacks in unnamed.items() if lacks])
    return frame if headless else _once_named(frame, [n for n in first if n.strip()], path)


def _check_widths(path: Path, encoding: str, dialect: row_files.Dialect) -> None:
    """Raises UserError for the first row with more or fewer fields than the first line."""
    for _ in row_files.csv_rows(path, encoding, dialect, by_position=True):
        pass


def _once_named(frame: pd.DataFrame, names: list[str], path: Path) -> pd.DataFrame:
    """The rows without those that have the names of columns again."""
    likely = frame[frame.iloc[:, -1].astype(object) == names[-1]]
    again = likely.index[(likely.astype(object) == names).all(axis=1)]
    if len(again):
        row_files.tell_repeated(path, len(again))
    return frame.drop(index=again)


def _labelled(
    frame: pd.DataFrame, target: str, where: str, task: str | None
) -> tuple[pd.DataFrame, list[Any]]:
    """The columns but the target, and the labels, of rows that have one.

    Commas are decimal for a quantity alone: classes may be several labels, such as 1,2.
    """
    row_files.check_names([*frame.columns], where)
    if target not in frame.columns:
        raise UserError(f"{where} has no column {target!r}, expected one of {shown(frame, 20)}")
    values = plain_quantity(frame[target]) if task == REGRESSION else frame[target]
    labels = values.astype(object)
    here = ~(labels.isna() | labels.astype(str).str.strip().isin(MISSING))
    if lacking := int((~here).sum()):
        say(f"{where}: {count(lacking, 'row', 'rows')} without {brief(target)} left out")
    return frame.drop(columns=target)[here], labels[here].tolist()
