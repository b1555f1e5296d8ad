"""Labelled texts in a table as a dataset: a file, a DataFrame, or columns by name."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import UserError, brief, count, say
from tf_distill.datasets.base import Dataset, Parts, own_name
from tf_distill.datasets.embeddings import TRAIN
from tf_distill.datasets.labels import (
    LABEL_NAMES,
    counts_in_words,
    label_advice,
    label_names,
    make_parts,
    shown,
)
from tf_distill.datasets.row_files import broken, read_rows
from tf_distill.datasets.texts import from_texts, text_dataset

Rows = Sequence[dict[str, Any]]
LOOKED_AT = 1000
"""Rows that the columns are found by."""
TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "message", "question", "utterance",
    "document", "tweet", "body", "query", "input", "description", "title",
)  # fmt: skip
TEXT_WORDS = 3
"""A column of texts has at least so many words in a value on average."""
MOST_CLASSES = 100
"""A column with more values than this is not guessed to be the classes."""


def from_dataframe(
    train: Any,
    test: Any = None,
    *,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    classes: Sequence[str] | None = None,
    embeddings: str | Path = TRAIN,
    length: int | None = None,
    name: str = "table",
    seed: int = 0,
) -> Dataset:
    """A dataset of the texts in a table.

    Args:
        train: a pandas DataFrame, a mapping from column names to lists, or a list of
            mappings, one a row. A missing text counts as an empty one.
        test: likewise; without it a fifth of the rows, stratified, is held out.
        text_column: None to find it by its name or, if it is the only one, by its values.
        label_column: likewise.
        classes: as for `from_texts`.
        embeddings: as for `from_texts`.
        length: as for `from_texts`.
        name: of the dataset.
        seed: as for `from_texts`.

    Raises:
        UserError: no such column, a text that is no string, or a label that is no string or whole
            number.
    """
    table = _columns(train, "train")
    first = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=False)]
    text, label = choose_columns(
        first[:LOOKED_AT], _name(text_column), _name(label_column), "train"
    )
    say(f"texts in column {brief(text)}, labels in column {brief(label)}")
    arrays: list[Any] = []
    for found in [table] if test is None else [table, _columns(test, "test")]:
        if missing := [column for column in (text, label) if column not in found]:
            raise UserError(
                f"test has no column {missing[0]!r}, expected it as in train; it has {shown(found)}"
            )
        arrays += [found[text], found[label]]
    return from_texts(
        *arrays, classes=classes, embeddings=embeddings, length=length, name=name, seed=seed
    )


def from_csv(
    train: str | Path,
    test: str | Path | None = None,
    *,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    classes: Sequence[str] | None = None,
    embeddings: str | Path = TRAIN,
    length: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of the labelled texts in a file, as `--dataset=csv:FILE` reads it.

    Args:
        train: CSV, TSV or JSON, by its ending, also packed (.gz, .zip).
        test: likewise, with the same columns; without it a fifth of the rows is held out.
        text_column: None to find it by its name or, if it is the only one, by its values; in a
            file without names of columns its position, from 1.
        label_column: likewise.
        classes: as for `from_texts`.
        embeddings: as for `from_texts`.
        length: as for `from_texts`.
        name: of the dataset; by default the file's, such as "reviews", or "own_imdb" for imdb.csv.
        seed: as for `from_texts`.

    Raises:
        UserError: no such file or column, or a line that is broken, with its number.
    """
    parts = read_tables(train, test, _name(text_column), _name(label_column), classes, seed)
    short = name or own_name(Path(train).name.split(".")[0])
    return text_dataset(short, parts, embeddings, length, seed)


def _name(column: str | int | None) -> str | None:
    """The name or position of a column, as the columns have it."""
    return None if column is None else str(column)


def _columns(table: Any, where: str) -> dict[str, list[Any]]:
    if isinstance(table, list) and table and all(isinstance(row, Mapping) for row in table):
        return {name: [row.get(name) for row in table] for name in table[0]}
    if isinstance(table, Mapping):
        return {str(name): list(values) for name, values in table.items()}
    if hasattr(table, "columns"):
        return {str(name): list(table[name]) for name in table.columns}
    raise UserError(
        f"{where} is of type {type(table).__name__}, expected a DataFrame, a mapping of columns or "
        "a list of rows"
    )


class Table(NamedTuple):
    """Texts, bytes `[N]` in an array of objects; their labels; and the names of both columns.

    headless: whether the first line names no columns; None where columns have names.
    """

    texts: np.ndarray
    labels: list[str]
    text_column: str
    label_column: str
    headless: bool | None = None


def read_tables(
    train: str | Path,
    test: str | Path | None,
    text_column: str | None = None,
    label_column: str | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> Parts:
    """Texts, bytes in arrays of objects, and classes of a training file and a test file.

    Files and columns are as for `read_table`; both files have the same columns. Without a test
    file a fifth of the rows is held out.
    """
    first = read_table(Path(train).expanduser(), text_column, label_column)
    known = (first.text_column, first.label_column, first.headless)
    other = None if test is None else read_table(Path(test).expanduser(), *known)
    splits = (first.texts, first.labels), other and (other.texts, other.labels)
    return make_parts(*splits, (str(train), str(test or train)), classes, seed)


def read_table(
    path: Path,
    text_column: str | None = None,
    label_column: str | None = None,
    headless: bool | None = None,
) -> Table:
    """Reads a file row by row; a line counts the rows with an empty text, left out.

    Its ending tells the format: .csv, .tsv, .tab, .txt, .jsonl, .ndjson or .json, and .gz or .zip
    after it if it is packed. The first line of CSV and TSV names the columns. If it does not,
    columns are positions from 1; `headless` says whether there is such a line, None that the
    labels tell. A column that is not given is found by its name or, if it is the only one, by its
    values.

    Raises:
        UserError: no such file or column, or a line that is broken, with its number.
    """
    given = [name for name in (text_column, label_column) if name is not None]
    every, by_position = read_rows(path, given)
    first = list(itertools.islice(every, LOOKED_AT))
    rows = [row for _, row in first]
    text, label = choose_columns(rows, text_column, label_column, str(path), not by_position)
    if by_position:
        if headless is None:
            headless = rows[0][label] in [row[label] for row in rows[1:]]
        if not headless:
            say(f"{path}: line 1 is taken for names of columns")
            first = first[1:]
    texts, names, empty = [], [], 0
    kept: dict[str, str] = {}  # one string for each class, not for each row
    numbers: Counter[str] = Counter()
    for line, row in itertools.chain(first, every):
        value = row.get(text)
        if not isinstance(value, str) and (value is not None or text not in row):
            raise broken(path, line, f"no text in {brief(text)}", "a string")
        if not value or not value.strip():
            empty += 1
            continue
        name = _label(row, label, path, line)
        texts.append(value.encode("utf-8", "replace"))
        names.append(kept.setdefault(name, name))
        numbers[name] += 1
    if empty:
        say(f"{path}: {empty} rows with an empty text are left out")
    say(
        f"{path}: {count(len(texts), 'text', 'texts')} in column {brief(text)}, "
        f"labels in column {brief(label)}; {counts_in_words(numbers)}"
    )
    return Table(np.array(texts, object), names, text, label, headless)


def _label(row: dict[str, Any], column: str, path: Path, line: int) -> str:
    value = row.get(column)
    try:
        return label_names([value], str(path))[0]
    except UserError:
        raise UserError(
            f"{path}, line {line}: got {brief(value)} in {brief(column)}, expected a class: a "
            f"string or a whole number; {label_advice(value, [value])}"
        ) from None


def choose_columns(
    rows: Rows, text: str | None, label: str | None, where: str, named: bool = True
) -> tuple[str, str]:
    """The names of the text column and the class column, each given or found by the first rows.

    `named` says whether columns have names, not only positions.

    UserError if there is no such column, or if it is not clear which one it is.
    """
    if not rows:
        raise UserError(f"{where} has no rows, expected a text and a label in each")
    columns = list(rows[0])
    for setting, name in (("text_column", text), ("label_column", label)):
        if name is not None and name not in columns:
            known = shown(columns, 20)
            raise UserError(
                f"{where} has no column {name!r} for {setting}, expected one of {known}"
            )
    text = text or by_name(columns, TEXT_NAMES, label)
    label = label or by_name(columns, LABEL_NAMES, text)
    text = text or _only([c for c in columns if c != label and _is_text(rows, c)])
    label = label or _only([c for c in columns if c != text and _is_label(rows, c)])
    if text is None or label is None or text == label:
        raise _unclear(rows, text, label, where)
    if named and _also_value(rows, label) and label.lower() not in LABEL_NAMES:
        raise _headless(rows, text, label, where)
    return text, label


def _also_value(rows: Rows, column: str) -> bool:
    """Whether the name of a column is also a value in it: then the first line names none."""
    return sum(str(row.get(column)) == column for row in rows) > 1


def _headless(rows: Rows, text: str | None, label: str, where: str) -> UserError:
    """The error for a file without names of columns."""
    columns = list(rows[0])
    places = {column: i for i, column in enumerate(columns, 1)}
    texts = [text] if text else [c for c in columns if c != label and _is_text(rows, c)]
    told = " or ".join(f"{places[column]} ({brief(column)})" for column in texts)
    return UserError(
        f"{where}: line 1 looks like a row ({brief(label)} is also a value), expected names of "
        f"columns; put them before it (in pandas header=None), or count from 1: "
        f"label_column={places[label]} text_column={told or 'its position'}"
    )


def by_name(columns: list[str], names: Sequence[str], taken: str | None = None) -> str | None:
    """The first of the names that a column other than `taken` has; None if there is none."""
    lower = {column.lower(): column for column in columns if column != taken}
    return next((lower[name] for name in names if name in lower), None)


def _only(columns: list[str]) -> str | None:
    return columns[0] if len(columns) == 1 else None


def _is_text(rows: Rows, column: str) -> bool:
    values = [row.get(column) for row in rows]
    if not all(isinstance(value, str) for value in values):
        return False
    return sum(len(str(value).split()) for value in values) >= TEXT_WORDS * len(values)


def _is_label(rows: Rows, column: str) -> bool:
    values = {str(row.get(column)) for row in rows}
    return 2 <= len(values) <= min(MOST_CLASSES, len(rows) // 2) and not _is_text(rows, column)


def _unclear(rows: Rows, text: str | None, label: str | None, where: str) -> UserError:
    columns = list(rows[0])
    if len(columns) < 2:
        what = f"only the column {shown(columns)}"
        return UserError(
            f"{where} has {what}, expected one with texts and one with classes, parted by commas, "
            "semicolons, tabs or |"
        )
    values = [c for c in columns if c != text and _also_value(rows, c) and _is_label(rows, c)]
    if values:
        return _headless(rows, text, values[0], where)
    no_text = text is None or text == label
    setting, what = ("text_column", "texts") if no_text else ("label_column", "classes")
    table = "; for rows of numbers and categories use dataset=table:FILE" if no_text else ""
    others = [
        column
        for column in columns
        if column != (label if no_text else text) and not isinstance(rows[0][column], list | dict)
    ]
    return UserError(
        f"{where}: it is not clear which column has the {what}; name it with {setting}: one of "
        f"{shown(others, 20)}{table}"
    )
