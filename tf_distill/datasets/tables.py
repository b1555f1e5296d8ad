"""Labelled texts in a table as a dataset: a file, a DataFrame, or columns by name."""

import codecs
import csv
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import UserError, brief, count, read_lines, say
from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.embeddings import TRAIN
from tf_distill.datasets.labels import label_names, make_parts, shown
from tf_distill.datasets.texts import from_texts, text_dataset

Row = tuple[int, dict[str, Any]]
"""A line number from 1, and the values by column."""
Rows = Sequence[dict[str, Any]]
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON = (".jsonl", ".ndjson", ".json")
LOOKED_AT = 1000
"""Rows that the columns are found by."""
LONGEST = 2**24
"""Characters of a field: 2000 pages."""
TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "message", "question", "utterance",
    "document", "tweet", "body", "query", "input", "description", "title",
)  # fmt: skip
LABEL_NAMES = (
    "label", "class", "category", "target", "sentiment", "topic", "intent", "labels", "tag",
    "rating", "stars", "score", "y",
)  # fmt: skip
TEXT_WORDS = 3
"""A column of texts has at least so many words in a value on average."""
MOST_CLASSES = 100
"""A column with more values than this is not guessed to be the classes."""


def from_dataframe(
    train: Any,
    test: Any = None,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
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
    text, label = choose_columns(first[:LOOKED_AT], text_column, label_column, "train")
    arrays: list[Any] = []
    for found in [table] if test is None else [table, _columns(test, "test")]:
        if missing := [column for column in (text, label) if column not in found]:
            raise UserError(
                f"test has no column {missing[0]!r}, expected it as in train; it has {shown(found)}"
            )
        arrays += [[_no_nan(value) for value in found[text]], found[label]]
    return from_texts(
        *arrays, classes=classes, embeddings=embeddings, length=length, name=name, seed=seed
    )


def from_csv(
    train: str | Path,
    test: str | Path | None = None,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    classes: Sequence[str] | None = None,
    embeddings: str | Path = TRAIN,
    length: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of the labelled texts in a file, as `--dataset=csv:FILE` reads it.

    Args:
        train: CSV, TSV or JSON lines in UTF-8, by its ending, also packed (.gz).
        test: likewise, with the same columns; without it a fifth of the rows is held out.
        text_column: None to find it by its name or, if it is the only one, by its values.
        label_column: likewise.
        classes: as for `from_texts`.
        embeddings: as for `from_texts`.
        length: as for `from_texts`.
        name: of the dataset; by default the file's.
        seed: as for `from_texts`.

    Raises:
        UserError: no such file or column, or a line that is broken, with its number.
    """
    parts = read_tables(train, test, text_column, label_column, classes, seed)
    short = name or Path(train).name.split(".")[0]
    return text_dataset(short, parts, embeddings, length, seed)


def _no_nan(value: Any) -> Any:
    """The value, or "" for a missing text, which is None or a NaN in pandas."""
    return "" if value is None or value != value else value  # noqa: PLR0124


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
    """Texts, bytes `[N]` in an array of objects; their labels; and the names of both columns."""

    texts: np.ndarray
    labels: list[str]
    text_column: str
    label_column: str


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
    columns = (first.text_column, first.label_column)
    other = None if test is None else read_table(Path(test).expanduser(), *columns)
    splits = (first.texts, first.labels), other and (other.texts, other.labels)
    return make_parts(*splits, (str(train), str(test or train)), classes, seed)


def read_table(
    path: Path, text_column: str | None = None, label_column: str | None = None
) -> Table:
    """Reads a file of UTF-8 row by row; a line counts the rows with an empty text, left out.

    Its ending tells the format: .csv, .tsv, .tab, .jsonl, .ndjson or .json, and .gz after it if
    it is packed. The first line of CSV and TSV names the columns. A column that is not given is
    found by its name or, if it is the only one, by its values.

    Raises:
        UserError: no such file or column, or a line that is broken, with its number.
    """
    every = _rows(path)
    first = list(itertools.islice(every, LOOKED_AT))
    text, label = choose_columns([row for _, row in first], text_column, label_column, str(path))
    texts, names, empty = [], [], 0
    kept: dict[str, str] = {}  # one string for each class, not for each row
    for line, row in itertools.chain(first, every):
        value = row.get(text)
        if not isinstance(value, str) and (value is not None or text not in row):
            raise _broken(path, line, f"no text in {brief(text)}", "a string")
        if not value or not value.strip():
            empty += 1
            continue
        name = _label(row, label, path, line)
        texts.append(value.encode("utf-8", "replace"))
        names.append(kept.setdefault(name, name))
    if empty:
        say(f"{path}: {empty} rows with an empty text are left out")
    say(
        f"{path}: {count(len(texts), 'text', 'texts')} in column {brief(text)}, "
        f"{count(len(kept), 'class', 'classes')} in column {brief(label)}"
    )
    return Table(np.array(texts, object), names, text, label)


def _label(row: dict[str, Any], column: str, path: Path, line: int) -> str:
    try:
        return label_names([row.get(column)], str(path))[0]
    except UserError:
        got = f"{brief(row.get(column))} in {brief(column)}"
        raise _broken(path, line, got, "a class: a string or a whole number") from None


def _rows(path: Path) -> Iterator[Row]:
    ending = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    if ending.lower() in JSON:
        return _json_rows(path)
    if ending.lower() in DELIMITERS:
        return _csv_rows(path, DELIMITERS[ending.lower()])
    known = ", ".join([*DELIMITERS, *JSON])
    raise UserError(f"{path} has an unknown ending, expected one of {known}, or these with .gz")


def _lines(path: Path) -> Iterator[str]:
    """The lines with their ends, without a byte order mark."""
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode()
        except UnicodeDecodeError:
            raise UserError(
                f"{path}, line {number}: got bytes that are no UTF-8; if the whole file has "
                "another encoding turn it into UTF-8, from Latin-1 by iconv -f latin1 -t utf-8, "
                "else mend or delete this line"
            ) from None


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row]:
    lines = _lines(path)
    head = next(lines, "")
    if delimiter == "," and "," not in head and ";" in head:
        delimiter = ";"  # of spreadsheets whose numbers have a comma
    # Quotes mean nothing in most TSV files, and texts begin with them.
    quoting: Any = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    lines = itertools.chain([head], lines)
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
    names: list[str] = []
    line = 1
    try:
        for fields in reader:
            if not fields:
                pass  # a blank line
            elif not names:
                names = [field.strip() for field in fields]
                if len(set(names)) < len(names):
                    told = f"two columns have one name in {brief(names)}; rename one"
                    raise UserError(f"{path}: {told}")
            elif len(fields) == len(names):
                yield line, dict(zip(names, fields, strict=True))
            else:
                expected = f"{len(names)} as in the first line"
                raise _broken(path, line, f"{len(fields)} fields", expected)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _broken(path, line, f"broken quotes ({error})", "a row of CSV") from None


def _json_rows(path: Path) -> Iterator[Row]:
    """The objects, one a line or in one array; there the position stands for the line."""
    lines = _lines(path)
    head = next(lines, "")
    if head.lstrip().startswith("["):
        values: Iterator[tuple[int, Any]] = enumerate(_json(head + "".join(lines), path, 1), 1)
    else:
        texts = enumerate(itertools.chain([head], lines), 1)
        values = ((line, _json(text, path, line)) for line, text in texts if text.strip())
    for line, value in values:
        if not isinstance(value, dict):
            raise _broken(path, line, f"JSON of {type(value).__name__}", "an object")
        yield line, value


def _json(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _broken(path, line, f"no JSON ({error})", "an object") from None


def _broken(path: Path, line: int, got: str, expected: str) -> UserError:
    return UserError(
        f"{path}, line {line}: got {got}, expected {expected}; mend or delete this line"
    )


def choose_columns(rows: Rows, text: str | None, label: str | None, where: str) -> tuple[str, str]:
    """The names of the text column and the class column, each given or found by the first rows.

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
    text = text or _by_name(columns, TEXT_NAMES, label)
    label = label or _by_name(columns, LABEL_NAMES, text)
    text = text or _only([c for c in columns if c != label and _is_text(rows, c)])
    label = label or _only([c for c in columns if c != text and _is_label(rows, c)])
    if text is None or label is None or text == label:
        raise _unclear(rows, text, label, where)
    also_value = sum(str(row.get(label)) == label for row in rows) > 1
    if also_value and label.lower() not in LABEL_NAMES:
        raise UserError(
            f"{where}: line 1 looks like a row ({brief(label)} is also a value), expected names "
            "of columns; put them before it, such as text,label"
        )
    return text, label


def _by_name(columns: list[str], names: Sequence[str], taken: str | None) -> str | None:
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
        return UserError(f"{where} has {what}, expected one with texts and one with classes")
    no_text = text is None or text == label
    setting, what = ("text_column", "texts") if no_text else ("label_column", "classes")
    words = any(isinstance(row.get(column), str) for row in rows for column in columns)
    numbers = "" if words else "; if all are numbers, use from_arrays(features, labels)"
    others = [column for column in columns if column != (label if no_text else text)]
    return UserError(
        f"{where}: it is not clear which column has the {what}; name it with {setting}: one of "
        f"{shown(others, 20)}{numbers}"
    )
