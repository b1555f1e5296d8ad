"""Tables as a dataset: a file, a pandas DataFrame, or whatever has columns by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tf_distill.common import UserError, words_of_python
from tf_distill.datasets import tables
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.embeddings import TRAIN
from tf_distill.datasets.texts import from_texts


@words_of_python()
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
        UserError: no such column, or texts or labels that are none.
    """
    table = _columns(train, "train")
    rows = [dict(zip(table, values, strict=False)) for values in zip(*table.values(), strict=False)]
    if not rows:
        raise UserError("train has no rows, expected a text and a label in each")
    text, label = tables.choose(rows[:1000], text_column, label_column, "train")
    splits = [table] if test is None else [table, _columns(test, "test")]
    arrays: list[Any] = []
    for split, found in zip(("train", "test"), splits, strict=False):
        if missing := [column for column in (text, label) if column not in found]:
            raise UserError(
                f"{split} has no column {missing[0]!r}, expected it as in train; it has "
                f"{', '.join(map(repr, found))}"
            )
        arrays += [[_text(value) for value in found[text]], found[label]]
    return from_texts(
        *arrays, classes=classes, embeddings=embeddings, length=length, name=name, seed=seed
    )


@words_of_python()
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
    splits = tables.read_splits(train, test, text_column, label_column)
    arrays: list[Any] = [part for table in splits for part in (table.texts, table.labels)]
    return from_texts(
        *arrays,
        classes=classes,
        embeddings=embeddings,
        length=length,
        name=name or Path(train).name.split(".")[0],
        seed=seed,
    )


def _text(value: Any) -> Any:
    """The value, or "" for what pandas has where a text is missing: None or a NaN."""
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
