"""Labelled texts from a file: CSV, TSV or JSON lines, each also packed by gzip."""

import codecs
import csv
import gzip
import itertools
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import UserError, bounded_lines, brief, count, parse_json, say
from tf_distill.datasets import labels

Row = tuple[int, dict[str, Any]]
"""A line number from 1, and the values by column."""
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON = (".jsonl", ".ndjson", ".json")
LOOKED_AT = 1000
"""Rows that the columns are found by."""
LONGEST = 2**24
"""Bytes of a field, or of a line: 2000 pages."""
MOST_ARRAY = 2**28
"""Characters of a JSON array, which can only be read as a whole."""
_LIMIT = threading.Lock()
"""Of a field, which the module csv keeps for the whole process."""


class Table(NamedTuple):
    """Texts, bytes `[N]` in an array of objects; their labels; and the columns they stood in."""

    texts: np.ndarray
    labels: list[str]
    text_column: str
    label_column: str


def read(path: Path, text_column: str | None = None, label_column: str | None = None) -> Table:
    """Reads a file row by row; rows with an empty text are left out, and counted in a line.

    Args:
        path: its ending says what it is: .csv, .tsv, .tab, .jsonl, .ndjson or .json, and .gz
            after it if it is packed. UTF-8. The first line of CSV and TSV names the columns.
        text_column: None to find it by its name or, if it is the only one, by its values.
        label_column: likewise.

    Raises:
        UserError: no such file or column, or a line that is broken, with its number.
    """
    every = rows(path)
    first = list(itertools.islice(every, LOOKED_AT))
    if not first:
        raise UserError(f"{path} has no rows, expected a text and a label in each")
    text, label = choose([row for _, row in first], text_column, label_column, str(path))
    texts, names, empty = [], [], 0
    kept: dict[str, str] = {}  # one string a class, not one a row
    for line, row in itertools.chain(first, every):
        value = _text(row, text, path, line)
        if not value.strip():
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


def read_splits(
    train: str | Path,
    test: str | Path | None,
    text_column: str | None = None,
    label_column: str | None = None,
) -> list[Table]:
    """The training file, and the test file where there is one, which has the same columns."""
    first = read(Path(train).expanduser(), text_column, label_column)
    if test is None:
        return [first]
    return [first, read(Path(test).expanduser(), first.text_column, first.label_column)]


def _text(row: dict[str, Any], column: str, path: Path, line: int) -> str:
    value = row.get(column)
    if isinstance(value, str):
        return value
    if value is None and column in row:
        return ""
    raise _broken(path, line, f"no text in {brief(column)}", "a string")


def _label(row: dict[str, Any], column: str, path: Path, line: int) -> str:
    try:
        return labels.plain([row.get(column)], str(path))[0]
    except UserError:
        got = f"{brief(row.get(column))} in {brief(column)}"
        raise _broken(path, line, got, "a class: a string or a whole number") from None


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, by its ending."""
    ending = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    if ending.lower() in JSON:
        return _json_rows(path)
    if ending.lower() in DELIMITERS:
        return _csv_rows(path, DELIMITERS[ending.lower()])
    known = ", ".join([*DELIMITERS, *JSON])
    raise UserError(f"{path} has an unknown ending, expected one of {known}, or these with .gz")


def _lines(path: Path) -> Iterator[str]:
    """The lines with their ends; a byte order mark is left out."""
    try:
        for number, line in enumerate(bounded_lines(path, LONGEST), 1):
            yield _decoded(line.removeprefix(codecs.BOM_UTF8 if number == 1 else b""), path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} is no whole gzip file ({error}), expected one by its name"
        ) from None
    except OSError as error:
        raise UserError(
            f"can't read {path}: {error.strerror or error}; name a file that is there"
        ) from None


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        if b"\0" not in line:
            return line.decode()
    except UnicodeDecodeError:
        pass
    raise UserError(
        f"{path}, line {number}: got bytes that are no UTF-8; if all of the file is in another "
        "encoding turn it into UTF-8, from Latin-1 by iconv -f latin1 -t utf-8, else mend or "
        "delete this line"
    )


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row]:
    lines = _lines(path)
    head = next(lines, "")
    if delimiter == "," and "," not in head and ";" in head:
        delimiter = ";"  # what spreadsheets write where the comma is in numbers
    # Quotes mean nothing in most TSV files, and texts begin with them.
    quoting: Any = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(
        itertools.chain([head], lines), delimiter=delimiter, quoting=quoting, strict=True
    )
    names: list[str] = []
    line = 1
    try:
        for fields in _long_fields(reader):
            if not fields:
                pass  # a blank line
            elif not names:
                names = _header(fields, path)
            elif len(fields) == len(names):
                yield line, dict(zip(names, fields, strict=True))
            else:
                raise _broken(
                    path, line, f"{len(fields)} fields", f"{len(names)} as in the first line"
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise _broken(path, line, f"broken quotes ({error})", "a row of CSV") from None


def _long_fields(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows of a csv.reader; between them the process's own limit of a field holds."""
    while True:
        with _LIMIT:
            before = csv.field_size_limit(LONGEST)
            try:
                row = next(rows, None)
            finally:
                csv.field_size_limit(before)
        if row is None:
            return
        yield row


def _header(fields: list[str], path: Path) -> list[str]:
    names = [field.strip() for field in fields]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: two columns have one name in {brief(names)}; rename one")
    return names


def _json_rows(path: Path) -> Iterator[Row]:
    lines = _lines(path)
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if line == 1 and text.lstrip().startswith("["):
            yield from _json_array(text + "".join(_short_enough(lines, path)), path)
            return
        try:
            value = parse_json(text)
        except ValueError as error:
            raise _broken(path, line, f"no JSON ({error})", "an object") from None
        if not isinstance(value, dict):
            raise _broken(path, line, f"JSON of {type(value).__name__}", "an object") from None
        yield line, value


def _short_enough(lines: Iterator[str], path: Path) -> Iterator[str]:
    total = 0
    for line in lines:
        if (total := total + len(line)) > MOST_ARRAY:
            raise UserError(
                f"{path} is one array of more than {MOST_ARRAY} characters; write it as an object "
                "a line"
            )
        yield line


def _json_array(text: str, path: Path) -> Iterator[Row]:
    """The objects of one array; the position stands for the line."""
    try:
        values = parse_json(text)
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}), expected an object a line") from None
    for position, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise _broken(path, position, f"JSON of {type(value).__name__}", "an object")
        yield position, value


def _broken(path: Path, line: int, got: str, expected: str) -> UserError:
    return UserError(
        f"{path}, line {line}: got {got}, expected {expected}; mend or delete this line"
    )


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
"""A column is not guessed to be classes with more values than this."""
SHOWN = 20
"""Names of columns that an error gives at most."""

Rows = Sequence[dict[str, Any]]


def choose(rows: Rows, text: str | None, label: str | None, where: str) -> tuple[str, str]:
    """The names of the columns of texts and of classes.

    Args:
        rows: the first rows, by column.
        text: the text column, if it is known.
        label: likewise.
        where: they come from, for errors.

    Raises:
        UserError: no such column, or none that is obvious.
    """
    columns = list(rows[0])
    for flag, name in (("text_column", text), ("label_column", label)):
        if name is not None and name not in columns:
            raise UserError(
                f"{where} has no column {name!r} for --{flag}, expected one of {_list(columns)}"
            )
    text = text or _by_name(columns, TEXT_NAMES, label)
    label = label or _by_name(columns, LABEL_NAMES, text)
    text = text or _only([c for c in columns if c != label and _is_text(rows, c)])
    label = label or _only([c for c in columns if c != text and _is_label(rows, c)])
    if text is None or label is None or text == label:
        raise _unclear(rows, text, label, where)
    if _headless(rows, text, label):
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


def _headless(rows: Rows, text: str, label: str) -> bool:
    """Whether the names are values themselves."""
    in_values = sum(str(row.get(label)) == label for row in rows) > 1
    return in_values and label.lower() not in LABEL_NAMES


def _unclear(rows: Rows, text: str | None, label: str | None, where: str) -> UserError:
    columns = list(rows[0])
    if len(columns) < 2:
        return UserError(
            f"{where} has only the column {_list(columns)}, expected one of texts and one of "
            "classes"
        )
    no_text = text is None or text == label
    flag, what = ("text_column", "texts") if no_text else ("label_column", "classes")
    words = any(isinstance(row.get(column), str) for row in rows for column in columns)
    numbers = "" if words else "; if all are numbers, use from_arrays(features, labels)"
    others = [column for column in columns if column != (label if no_text else text)]
    return UserError(
        f"{where}: it is not clear which column has the {what}; name it with --{flag}: one of "
        f"{_list(others)}{numbers}"
    )


def _list(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return ", ".join(brief(column) for column in columns[:SHOWN]) + more
