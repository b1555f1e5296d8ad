"""Which column of a table has the texts and which the classes."""

from collections.abc import Sequence
from typing import Any

from tf_distill.errors import UserError, brief

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
