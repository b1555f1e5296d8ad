"""Tables of labelled texts: every form, broken lines by number, columns, and tables in memory."""

import csv
import gzip
import json
import random

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_csv, from_dataframe, from_texts, tables
from tf_distill.datasets.tables import choose_columns

ROWS = [("a good film", "good"), ('he said "no, thanks"', "bad"), ("caf\u00e9; tea", "good")] * 2


def write(path, text):
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


CSV = "text,label\n" + "".join('"{}",{}\n'.format(x.replace('"', '""'), y) for x, y in ROWS)
LINES = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
FORMS = {
    "t.csv": CSV,
    "t.csv.gz": CSV,
    "semicolon.csv": CSV.replace(",", ";").replace("no;", "no,"),
    "bom.csv": "\ufeff" + CSV,
    "windows.csv": CSV.replace("\n", "\r\n"),
    "no_end.csv": CSV.rstrip(),
    "blank.csv": CSV + "\n\n",
    "T.CSV": CSV,
    "t.tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS),
    "t.jsonl": "\n".join(LINES),
    "t.ndjson.gz": "\n\n".join(LINES) + "\n",
    "t.json": "[\n" + ",\n".join(LINES) + "]",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same(tmp_path, name):
    table = tables.read_table(write(tmp_path / name, FORMS[name]))
    assert list(zip(table.texts, table.labels, strict=True)) == [(t.encode(), y) for t, y in ROWS]
    assert (table.text_column, table.label_column) == ("text", "label")


def test_what_a_csv_writer_writes_comes_back(tmp_path):
    """Any texts: quotes, commas, line ends, other scripts."""
    rng = random.Random(0)
    letters = 'ab ,;"\n\r\t\u00e9\u6f22'
    rows = [("".join(rng.choices(letters, k=12)) + "x", "ab"[i % 2]) for i in range(300)]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    table = tables.read_table(tmp_path / "t.csv")
    assert [*zip((text.decode() for text in table.texts), table.labels, strict=True)] == rows


def test_empty_texts_are_left_out_and_counted(tmp_path, capsys):
    path = write(tmp_path / "t.jsonl", '{"text": " ", "label": 1}\n{"text": null, "label": 1}\n'
                 '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n')  # fmt: skip
    table = tables.read_table(path)
    assert (table.texts.tolist(), table.labels) == ([b"a", b"b"], ["1", "2"])
    assert "2 rows with an empty text are left out" in capsys.readouterr().out


BROKEN = [
    ("t.csv", "text,label\na,b\nc\n", "line 3: got 1 fields, expected 2"),
    ("t.csv", 'text,label\n"a\nb",x\n1,2,3\n', "line 4: got 3 fields, expected 2"),
    ("t.csv", 'text,label\n"a,b\nc,d\n', "line 2: got broken quotes"),
    ("t.csv", "text,label\na,\nb,c\n", "line 2: got '' in 'label', expected a class"),
    ("t.csv", "text,text\na,b\n", "two columns have one name"),
    ("t.csv", "text,label\n", "has no rows"),
    ("t.csv", "", "has no rows"),
    ("t.csv", b"text,label\n\xff\xfe,b\n", "from Latin-1 by iconv -f latin1 -t utf-8"),
    ("t.csv", bytes(range(256)) * 20, "bytes that are no UTF-8"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "line 2: got no JSON"),
    ("t.jsonl", '{"text": "a", "label": 1}\n[1]\n', "line 2: got JSON of list"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n', "line 2: got no text in 'text'"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": 5, "label": 1}\n', "line 2: got no text"),
    ("t.jsonl", '{"text": "a", "label": 0.5}\n', "line 1: got 0.5 in 'label', expected a class"),
    ("t.jsonl", '{"text": "a", "label": null}\n', "line 1: got None in 'label'"),
    ("t.json", "[1, 2", "got no JSON"),
    ("t.json", '[{"text": "a", "label": 1}, 2]', "line 2: got JSON of int"),
    ("t.xlsx", "", "has an unknown ending, expected one of .csv, .tsv"),
]


@pytest.mark.parametrize(("name", "text", "expected"), BROKEN)
def test_what_is_broken_is_named(tmp_path, name, text, expected):
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as error:
        tables.read_table(path)
    assert str(path) in str(error.value)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_long_documents_are_read(tmp_path):
    text = "word " * 100_000
    path = write(tmp_path / "t.csv", f"text,label\n{text},a\nshort,b\n")
    assert len(tables.read_table(path).texts[0]) == len(text)


def rows(**columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


LONG = [f"a text of words {i}" for i in range(12)]
FEW = ["yes", "no", "no", "yes"] * 3
NUMBERS = [str(i) for i in range(12)]


@pytest.mark.parametrize(
    ("columns", "named", "expected"),
    [
        ({"id": NUMBERS, "Text": LONG, "Label": FEW}, (None, None), ("Text", "Label")),
        ({"title": LONG, "review": LONG, "class": FEW}, (None, None), ("review", "class")),
        ({"a": NUMBERS, "b": LONG, "c": FEW}, (None, None), ("b", "c")),
        ({"text": LONG, "why": FEW}, (None, None), ("text", "why")),
        ({"words": LONG, "category": NUMBERS}, (None, None), ("words", "category")),
        ({"text": LONG, "label": FEW, "o": LONG, "k": FEW}, ("o", None), ("o", "label")),
        ({"text": LONG, "label": FEW, "o": LONG, "k": FEW}, (None, "k"), ("text", "k")),
    ],
)
def test_finds_what_is_named_or_obvious(columns, named, expected):
    assert choose_columns(rows(**columns), *named, "here") == expected


@pytest.mark.parametrize(
    ("columns", "named", "text"),
    [
        ({"a": LONG, "b": FEW}, ("c", None), "here has no column 'c' for text_column, .* 'a', 'b'"),
        ({"a": LONG, "b": FEW}, (None, "c"), "here has no column 'c' for label_column"),
        ({"a": LONG, "b": LONG, "c": FEW}, (None, None), "which column has the texts; .*'a', 'b'"),
        ({"text": LONG, "b": FEW, "c": FEW}, (None, None), "column has the classes; .*'b', 'c'"),
        ({"text": LONG}, (None, None), "here has only the column 'text', expected"),
        ({"text": LONG}, (None, "text"), "here has only the column 'text'"),
        ({"a text of words": LONG, "yes": FEW}, (None, None), "line 1 looks like a row"),
    ],
)
def test_refuses_what_is_not_clear(columns, named, text):
    with pytest.raises(UserError, match=text) as error:
        choose_columns(rows(**columns), *named, "here")
    assert "\n" not in str(error.value)


ANIMALS = ("the cat sat on a mat", "a dog ran to the park", "cats purr", "dogs bark by night")
TEXTS = [*ANIMALS] * 5
LABELS = ["cat", "dog"] * 10


def test_a_file_is_what_its_columns_are(tmp_path):
    file = tmp_path / "animals.csv"
    rows = [f"{label},{text}\n" for text, label in zip(TEXTS, LABELS, strict=True)]
    file.write_text("".join(["label,text\n", *rows]))
    read, given = from_csv(file, file), from_texts(TEXTS, LABELS, TEXTS, LABELS)
    assert (read.name, read.classes) == ("animals", given.classes)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(read, name), getattr(given, name))


class Frame(dict):
    """As much of a pandas DataFrame as is needed."""

    @property
    def columns(self):
        return list(self)


TABLES = {
    "frame": Frame(body=TEXTS, kind=LABELS, n=list(range(20))),
    "columns": {"body": TEXTS, "kind": LABELS},
    "rows": [{"body": t, "kind": y} for t, y in zip(TEXTS, LABELS, strict=True)],
}


@pytest.mark.parametrize("form", TABLES)
def test_tables(form):
    dataset = from_dataframe(TABLES[form], TABLES[form], label_column="kind")
    expected = from_texts(TEXTS, LABELS, TEXTS, LABELS)
    np.testing.assert_array_equal(dataset.x_train, expected.x_train)
    np.testing.assert_array_equal(dataset.y_test, expected.y_test)


def test_missing_texts_of_a_table_are_left_out(capsys):
    from_dataframe({"text": [None, float("nan"), *TEXTS], "label": ["cat", "dog", *LABELS]})
    assert "2 empty texts are left out" in capsys.readouterr().out


def test_refuses_tables():
    with pytest.raises(UserError, match="train has no column 'x' for text_column"):
        from_dataframe(TABLES["rows"], text_column="x")
    with pytest.raises(UserError, match="test has no column 'kind', expected it as in train"):
        from_dataframe(TABLES["rows"], {"body": TEXTS}, label_column="kind")
    with pytest.raises(UserError, match="train is of type int"):
        from_dataframe(3)
    with pytest.raises(UserError, match="train has no rows"):
        from_dataframe({"text": [], "label": []})
