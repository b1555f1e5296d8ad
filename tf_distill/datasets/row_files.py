"""The rows of files: CSV, TSV and JSON in every usual form; a broken line is told by its number."""

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill.common import UserError, count, say
from tf_distill.datasets.labels import shown
from tf_distill.datasets.text_files import FOLDERS_OF_TEXTS, find_encoding, text_lines

Row = tuple[int, dict[str, Any]]
"""A line number from 1, and the values by column."""
DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|", ".tab": "\t,;|", ".txt": "\t,;|"}
"""What may part the fields, the likeliest first."""
JSON = (".jsonl", ".ndjson", ".json")
PACKED = (".gz", ".zip")
OTHERS = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the spreadsheet as CSV"),
    ".parquet": "read texts in Python: "
    "tf_distill.datasets.from_dataframe(pandas.read_parquet(path))",
}
"""What to do with files of further endings."""
LONGEST = 2**24
"""Characters of a field: 2000 pages."""


def read_rows(path: Path, given: Sequence[str]) -> tuple[Iterator[Row], bool]:
    """The rows, and whether the given columns are positions."""
    ending, encoding = ending_of(path), find_encoding(path)
    if ending in JSON:
        return json_rows(path, encoding), False
    dialect = find_dialect(path, encoding, DELIMITERS[ending])
    names = next((fields for _, fields in csv_fields(path, encoding, dialect)), [])
    by_position = any(name.isdecimal() and name not in names for name in given)
    return csv_rows(path, encoding, dialect, by_position), by_position


def ending_of(path: Path, further: tuple[str, ...] = ()) -> str:
    """The ending that tells the format, without that of a packed file.

    Raises:
        UserError: it is none of those that are known, nor of `further` ones; or a folder.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected a file; {FOLDERS_OF_TEXTS}")
    packed = path.suffix.lower() in PACKED
    ending = (path.with_suffix("").suffix if packed else path.suffix).lower()
    if ending not in (*DELIMITERS, *JSON, *further):
        known = ", ".join([*DELIMITERS, *JSON, *further])
        advice = f"; {OTHERS[ending]}" if ending in OTHERS else ""
        raise UserError(
            f"{path} has an unknown ending, expected one of {known}, or these with .gz or .zip"
            f"{advice}"
        )
    return ending


class Dialect(NamedTuple):
    """A way to write CSV, as the parameters of `csv.reader`."""

    delimiter: str
    quoting: Any = csv.QUOTE_MINIMAL
    escapechar: str | None = None
    skipinitialspace: bool = False


def find_dialect(
    path: Path, encoding: str, delimiters: str, looked_at: int | None = None
) -> Dialect:
    """The dialect by which most rows have as many fields as the first, with the fewest quotes left.

    Most files are read through once for it, unless only so many rows are looked at.
    """
    marked = marked_separator(path, encoding)
    best, most = Dialect(marked or delimiters[0]), (0, 0)
    for delimiter in marked or delimiters:
        # Quotes mean nothing in most TSV files, and texts begin with them.
        bare = [Dialect(delimiter, csv.QUOTE_NONE)] if delimiter == "\t" else []
        plain, escaped = Dialect(delimiter), Dialect(delimiter, escapechar="\\")
        for dialect in (*bare, plain, plain._replace(skipinitialspace=True), escaped):
            rows, quotes, whole = _fit(path, encoding, dialect, looked_at)
            if whole and not quotes and rows >= most[0]:
                return dialect
            if (rows, -quotes) > most:
                best, most = dialect, (rows, -quotes)
    return best


def _fit(
    path: Path, encoding: str, dialect: Dialect, looked_at: int | None
) -> tuple[int, int, bool]:
    """How many rows fit the first, how many fields keep their quotes, and whether all rows fit."""
    width = rows = quotes = 0
    try:
        for _, fields in itertools.islice(csv_fields(path, encoding, dialect), looked_at):
            width = width or len(fields)
            if width < 2 or not _fits(fields, width):
                return rows, quotes, False
            rows += 1
            quotes += sum(f.lstrip()[:1] == '"' == f.rstrip()[-1:] for f in fields)
    except csv.Error:
        return rows, quotes, False
    return rows, quotes, rows > 0


def _fits(fields: list[str], width: int) -> bool:
    """Whether a row has as many fields as the first; empty ones at its end do not count."""
    return len(fields) == width or (len(fields) > width and not any(fields[width:]))


def marked_separator(path: Path, encoding: str) -> str | None:
    """The character that a file's first line names as Excel does, if it names one."""
    return _separator(next(text_lines(path, encoding), ""))


def _separator(head: str) -> str | None:
    """The character that a first line `sep=;` names, as Excel writes it."""
    found = re.fullmatch(r'"?sep=(.)"?\s*', head, re.IGNORECASE)
    return found[1] if found else None


def csv_fields(path: Path, encoding: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The fields of each row with the number of its first line; csv.Error if quotes are broken."""
    lines = text_lines(path, encoding)
    head = next(lines, "")
    before = 1 if _separator(head) else 0
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
    doubled = dialect.escapechar is None
    reader = csv.reader(
        lines if before else itertools.chain([head], lines),
        strict=True,
        doublequote=doubled,
        **dialect._asdict(),
    )
    while True:
        line = before + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(line, str(error)) from None
        if fields:  # not a blank line
            yield line, fields


def check_names(names: Sequence[str], where: str) -> None:
    """Raises UserError if two columns have one name; those without a name don't count."""
    if double := [name for name, times in Counter(names).items() if name and times > 1]:
        raise UserError(f"{where}: two columns have one name, {shown(double)}; rename one")


def csv_rows(path: Path, encoding: str, dialect: Dialect, by_position: bool) -> Iterator[Row]:
    """The rows, of as many fields as the first; lines with the names once more are left out."""
    names, head, again = list[str](), list[str](), 0
    try:
        for line, fields in csv_fields(path, encoding, dialect):
            if not names:
                head, names = fields, [field.strip() for field in fields]
                if by_position:
                    names = [str(i) for i in range(1, len(fields) + 1)]
                    yield line, dict(zip(names, fields, strict=True))
                else:
                    check_names(names, str(path))
            elif fields == head and not by_position:  # of files that were put together
                again += 1
            elif _fits(fields, len(names)):
                row = dict(zip(names, fields, strict=False))
                row.pop("", None)
                yield line, row
            else:
                expected = f"{len(names)} as in the first line"
                raise broken(path, line, f"{len(fields)} fields", expected)
    except csv.Error as error:
        line, told = error.args
        raise broken(path, line, f"broken quotes ({told})", "a row of CSV") from None
    if again:
        tell_repeated(path, again)


def tell_repeated(path: Path, lines: int) -> None:
    """Says that lines with the names of columns, between rows, are left out."""
    say(f"{path}: {count(lines, 'line', 'lines')} with the names of columns again left out")


def json_rows(path: Path, encoding: str) -> Iterator[Row]:
    """The objects: one a line, in one array, or in an object; there positions stand for lines."""
    lines = ((n, text) for n, text in enumerate(text_lines(path, encoding), 1) if text.strip())
    first, second = next(lines, None), next(lines, None)
    if first is None:
        return
    try:
        by_line = isinstance(json.loads(first[1]), dict) and second is not None
    except ValueError:
        by_line = False
    rest = itertools.chain([first], [second] if second else [], lines)
    values: Iterable[tuple[int, Any]]
    if by_line:
        values = ((line, _json(text.strip(), path, line)) for line, text in rest)
    else:
        values = enumerate(_records(_json("".join(text for _, text in rest), path, 1), path), 1)
    for line, value in values:
        if not isinstance(value, dict):
            raise broken(path, line, f"JSON of {type(value).__name__}", "an object")
        yield line, value


def _records(value: Any, path: Path) -> list[Any]:
    """The records in JSON that is a list of them, has one, or has lists or objects as columns."""
    if isinstance(value, list):
        return value
    inside = list(value.values()) if isinstance(value, dict) else []
    lists = {k: v for k, v in value.items() if _is_list_of(v, dict)} if inside else {}
    if len(lists) == 1:
        say(f"{path}: the records are those of {shown(lists)}")
        return next(iter(lists.values()))
    if inside and not lists:
        if {"columns", "data"} <= {*value} and _is_list_of(value["data"], list):  # of pandas
            return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
        if all(isinstance(v, dict) and v.keys() == inside[0].keys() for v in inside):
            inside = [list(v.values()) for v in inside]
        if all(isinstance(v, list) and len(v) == len(inside[0]) for v in inside):
            return [dict(zip(value, row, strict=True)) for row in zip(*inside, strict=True)]
        if not any(isinstance(v, dict | list) for v in inside):
            return [value]
    told = f"several lists of records: {shown(lists)}" if lists else f"the fields {shown(value)}"
    raise UserError(
        f"{path} is one JSON object with {told}, expected one list of records; write the records "
        "alone to a file, as a list or one a line"
    )


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, kind) for v in value)


def _json(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise broken(path, at, f"no JSON ({error})", "an object") from None


def broken(path: Path, line: int, got: str, expected: str) -> UserError:
    """The error for a line that can't be used."""
    return UserError(
        f"{path}, line {line}: got {got}, expected {expected}; mend or delete this line"
    )
