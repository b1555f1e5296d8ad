"""Tables of labelled texts: every form, broken lines by number, columns, and tables in memory."""

import csv
import gzip
import json
import random
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from places import case

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_csv, from_dataframe, from_directory, from_texts, tables
from tf_distill.datasets.tables import choose_columns

ROWS = [("a good film", "good"), ('he said "no, thanks"', "bad"), ("caf\u00e9; tea", "good")] * 2


def write(path, text):
    data = text if isinstance(text, bytes) else text.encode()
    if path.suffix == ".zip":
        path = path.with_suffix(".csv.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("one.csv", data)
            archive.writestr("__MACOSX/._one.csv", data)
        return path
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
    "pipe.csv": CSV.replace(",", "|").replace("no|", "no,"),
    "tab.csv": CSV.replace(",", "\t").replace("no\t", "no,"),
    "tab.txt": CSV.replace(",", "\t").replace("no\t", "no,"),
    "quoted.tsv": CSV.replace(",", "\t").replace("no\t", "no,"),
    "excel.csv": "sep=;\r\n" + CSV.replace(",", ";").replace("no;", "no,"),
    "blanks.csv": CSV.replace('",', '", "').replace("good\n", 'good"\n').replace("bad\n", 'bad"\n'),
    "backslash.csv": CSV.replace('""', '\\"'),
    "more.csv": re.sub("\n", ",,\n", CSV),
    "ends.csv": CSV.replace("good\n", "good,\n"),
    "index.csv": "\n".join(f"{i or ''},{x}" for i, x in enumerate(CSV.splitlines())),
    "utf16.csv": CSV.encode("utf-16"),
    "no_mark.csv": CSV.encode("utf-16-le"),
    "western.csv": CSV.encode("cp1252"),
    "latin.csv": CSV.encode("latin-1"),
    "wrapped.json": json.dumps({"version": 1, "data": [*map(json.loads, LINES)]}, indent=1),
    "one_line.json": json.dumps({"version": 1, "data": [*map(json.loads, LINES)]}),
    "columns.json": json.dumps({"text": [t for t, _ in ROWS], "label": [y for _, y in ROWS]}),
    "pandas.json": json.dumps({"text": {str(i): t for i, (t, _) in enumerate(ROWS)},
                               "label": {str(i): y for i, (_, y) in enumerate(ROWS)}}),
    "split.json": json.dumps({"columns": ["text", "label"], "index": [], "data": ROWS}),
    "one.zip": CSV,
    "lines.json": "\n".join(LINES),
}  # fmt: skip


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


RUSSIAN = "text,label\n" + "\u0434\u043e\u0431\u0440\u044b\u0439,a\n" * 4
BROKEN = [
    ("t.csv", "text,label\na,b\nc\n", "line 3: got 1 fields, expected 2"),
    ("t.csv", 'text,label\n"a\nb",x\n1,2,3\n', "line 4: got 3 fields, expected 2"),
    ("t.csv", 'text,label\n"a,b\nc,d\n', "line 2: got broken quotes"),
    ("t.csv", "text,label\na,\nb,c\n", "line 2: got '' in 'label', expected a class"),
    ("t.csv", "text,text\na,b\n", "two columns have one name"),
    ("t.csv", "text,label\n", "has no rows"),
    ("t.csv", "", "has no rows"),
    (
        "t.csv",
        "text,label\ncafé,b\n".encode() + b"\xff\xfe,b\n",
        "line 3: got bytes that are no UTF",
    ),
    ("t.csv", bytes(range(256)) * 20, "bytes that are no UTF-8"),
    ("t.csv", RUSSIAN.encode("cp1251"), "its letters are not Latin"),
    ("t.csv", "text,label\na,b\n".encode("utf-16")[:-1], "no whole text in utf-16"),
    ("t.json", '{"train": [{"a": 1}], "test": [{"a": 1}]}', "several lists of records: 'train'"),
    ("t.json", '{"a": 1,\n "b": [2, 3]}', "the fields 'a', 'b'"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "line 2: got no JSON"),
    ("t.jsonl", '{"text": "a", "label": 1}\n[1]\n', "line 2: got JSON of list"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n', "line 2: got no text in 'text'"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": 5, "label": 1}\n', "line 2: got no text"),
    ("t.jsonl", '{"text": "a", "label": 0.5}\n', "line 1: got 0.5 in 'label', expected a class"),
    ("t.jsonl", '{"text": "a", "label": null}\n', "line 1: got None in 'label'"),
    ("t.json", "[1, 2", "got no JSON"),
    ("t.json", '[{"text": "a", "label": 1}, 2]', "line 2: got JSON of int"),
    ("t.md", "", "has an unknown ending, expected one of .csv, .tsv"),
    ("t.xlsx", "", "with .gz or .zip; save the spreadsheet as CSV"),
    ("t.parquet", "", "tf_distill.datasets.from_dataframe(pandas.read_parquet(path))"),
]


@pytest.mark.parametrize(("name", "text", "expected"), BROKEN)
def test_what_is_broken_is_named(tmp_path, name, text, expected):
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as error:
        tables.read_table(path)
    assert str(path) in str(error.value)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_encodings_are_told(tmp_path, capsys):
    for name in ("windows-1252", "latin-1"):
        more = b"\x81 \xe9,x\n" if name == "latin-1" else b""
        tables.read_table(write(tmp_path / f"{name}.csv", CSV.encode(name) + more))
        assert f"is no UTF-8: read as {name.title()}" in capsys.readouterr().out


def test_open_quotes_of_a_tsv_do_not_swallow_lines(tmp_path):
    lines = ['"open', "plain", 'close"', '"both"'] * 4
    text = "".join(f"{line} words here\t{i % 2}\n" for i, line in enumerate(lines))
    table = tables.read_table(write(tmp_path / "t.tsv", "text\tlabel\n" + text))
    assert len(table.texts) == 16
    assert table.texts[0] == b'"open words here'


def test_a_folder_of_texts_is_told_the_way_in_python(tmp_path):
    (tmp_path / "pos").mkdir()
    (tmp_path / "pos" / "1.txt").write_text("a good film")
    for read in (from_csv, from_directory):
        with pytest.raises(UserError, match="text_dataset_from_directory"):
            read(tmp_path)


def test_a_file_without_names_of_columns_is_read_by_position(tmp_path, capsys):
    rows = [f'"{i % 2 + 1}","a title of words {i}","what is told there {i}"\n' for i in range(12)]
    path = write(tmp_path / "t.csv", "".join(rows))
    with pytest.raises(UserError, match="line 1 looks like a row") as error:
        tables.read_table(path)
    told = re.search(
        r"label_column=(\d) text_column=(\d) \('a title of words 0'\)", str(error.value)
    )
    table = tables.read_table(path, told[2], told[1])
    assert (len(table.texts), table.texts[0], table.labels[:3]) == (
        12,
        b"a title of words 0",
        ["1", "2", "1"],
    )
    assert tables.read_table(path, "3").texts[0] == b"what is told there 0"
    assert from_csv(path, text_column=2, label_column=1).classes == ("1", "2")
    columns = pd.DataFrame([("some words here", "a"), ("other words", "b")] * 5)
    assert from_dataframe(columns, text_column=0, label_column=1).classes == ("a", "b")
    test = write(tmp_path / "test.csv", "".join(rows[:3]))
    assert len(tables.read_tables(path, test, "2", "1").x_test) == 3
    named = write(tmp_path / "named.csv", "class,title,told\n" + "".join(rows))
    assert len(tables.read_table(named, "2", "1").texts) == 12
    assert "line 1 is taken for names of columns" in capsys.readouterr().out
    two = write(
        tmp_path / "two.csv", "".join(f"some text of words {i},{i % 2}\n" for i in range(9))
    )
    with pytest.raises(UserError, match="label_column=2 text_column=1"):
        tables.read_table(two)
    assert len(tables.read_table(two, "1", "2").texts) == 9


def test_advice_leads_out(tmp_path):
    """Each message's own words, followed."""
    path = write(tmp_path / "t.csv", RUSSIAN.encode("cp1251"))
    with pytest.raises(UserError, match=r"-t UTF-8 .*-f CP1251"):
        tables.read_table(path)
    assert len(tables.read_table(write(path, path.read_bytes().decode("CP1251"))).texts) == 4

    broken = write(path, "text,label\na,b\nc\nd,e\n")
    with pytest.raises(UserError, match=r"line 3: .* mend or delete this line"):
        tables.read_table(broken)
    write(path, "text,label\na,b\nd,e\n")
    assert len(tables.read_table(path).texts) == 2

    several = write(tmp_path / "t.jsonl", '{"text": "a", "label": ["b", "c"]}\n' * 2)
    with pytest.raises(UserError, match=r"line 1: got \['b', 'c'\] .*: give one label of each"):
        tables.read_table(several)
    assert len(tables.read_table(write(several, '{"text": "a", "label": "b"}\n' * 2)).texts) == 2

    double = write(path, "text,x,x\na,b,c\n")
    with pytest.raises(UserError, match="two columns have one name, 'x'; rename one"):
        tables.read_table(double)
    assert tables.read_table(write(path, "text,x,label\na,b,c\n")).labels == ["c"]

    wrapped = write(
        tmp_path / "t.json", json.dumps({"train": [{"text": "a", "label": 1}], "test": [{}]})
    )
    with pytest.raises(
        UserError, match="write the records alone to a file, as a list or one a line"
    ):
        tables.read_table(wrapped)
    write(wrapped, json.dumps(json.loads(wrapped.read_text())["train"]))
    assert tables.read_table(wrapped).labels == ["1"]

    several = write(tmp_path / "t.csv", "a,b,c\n" + "some text of words,more text of words,x\n" * 9)
    with pytest.raises(UserError, match="name it with text_column: one of 'a', 'b', 'c'"):
        tables.read_table(several)
    assert tables.read_table(several, "b", "c").text_column == "b"

    packed = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", CSV)
        archive.writestr("two.csv", CSV)
    with pytest.raises(UserError, match="unpack it and name one of them"):
        tables.read_table(packed)
    zipfile.ZipFile(packed).extractall(tmp_path)
    assert len(tables.read_table(tmp_path / "two.csv").texts) == len(ROWS)


CASES = [
    ("spam.csv", {}, ("ham", "spam")), ("spam_utf8.csv", {}, ("ham", "spam")),
    ("spam.csv", {"text_column": "v2", "label_column": "v1"}, ("ham", "spam")),
    *((name, {}, ("place", "price", "time")) for name in
      ("sep.csv", "tab.csv", "pipe.csv", "utf16.csv", "space_after.csv")),
    ("wrapped.json", {}, ("0", "1")),
    ("ag.csv", {"text_column": "2", "label_column": "1"}, ("1", "2", "3")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "classes"), CASES)
def test_inputs_as_people_have_them(name, settings, classes):
    path = case("tables", name)
    table = tables.read_table(path, **settings)
    assert tuple(sorted(set(table.labels))) == classes
    rows = len(path.read_bytes().splitlines()) - 1
    if name.startswith("utf16") or name.endswith(".json"):
        return
    assert len(table.texts) == rows + (name == "ag.csv") - (name == "sep.csv")


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
        ({"a": LONG, "ids": [[1]] * 12, "c": LONG}, (None, None), "the texts; .* of 'a', 'c';"),
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


class NAType:
    """As pandas' NA: it is neither true nor false."""

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __ne__(self, other):
        return self

    __eq__ = __ne__
    __hash__ = None


def test_missing_texts_of_a_table_are_left_out(capsys):
    missing = [None, float("nan"), NAType()]
    from_dataframe({"text": [*missing, *TEXTS], "label": ["cat", "dog", "cat", *LABELS]})
    assert "3 empty texts are left out" in capsys.readouterr().out


def test_pandas_frames_of_every_type():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    texts = ["when does the film start", "where is the market today", None, "how much is it"] * 6
    labels = ["time", "place", "price", "price"] * 6
    frames = [
        pandas.DataFrame({"text": pandas.Series(texts, dtype=kind), "label": labels})
        for kind in (object, "string", None)
    ]
    for frame in (*frames, frames[2].convert_dtypes()):
        data = from_dataframe(frame)
        assert (data.classes, len(data.y_train) + len(data.y_test)) == (
            ("place", "price", "time"),
            18,
        )
    words = ["some words of one", "other words of two"] * 10
    for values, classes in [
        (pandas.Series([0, 1] * 10, dtype="Int64"), ("0", "1")),
        (pandas.Series([True, False] * 10, dtype="boolean"), ("False", "True")),
        (pandas.Series(["x y", "z"] * 10, dtype="category"), ("x y", "z")),
        (pandas.Series([0.0, 1.0] * 10), ("0", "1")),
    ]:
        assert from_dataframe(pandas.DataFrame({"text": words, "label": values})).classes == classes
    for kind in ("Int64", "float"):
        frame = pandas.DataFrame(
            {"text": words, "label": pandas.Series([0, None] + [0, 1] * 9, dtype=kind)}
        )
        with pytest.raises(UserError, match=r"label 1 is .*, expected .* or leave it out"):
            from_dataframe(frame)
        assert from_dataframe(frame.dropna()).classes == ("0", "1")
    numbers = pandas.DataFrame({"text": [1, 2] * 10, "label": ["a", "b"] * 10})
    with pytest.raises(UserError, match="is 1, expected a string; turn all into strings"):
        from_dataframe(numbers)
    assert from_dataframe(numbers.astype({"text": str})).classes == ("a", "b")


def test_refuses_tables():
    with pytest.raises(UserError, match="train has no column 'x' for text_column"):
        from_dataframe(TABLES["rows"], text_column="x")
    with pytest.raises(UserError, match="test has no column 'kind', expected it as in train"):
        from_dataframe(TABLES["rows"], {"body": TEXTS}, label_column="kind")
    with pytest.raises(UserError, match="train is of type int"):
        from_dataframe(3)
    with pytest.raises(UserError, match="train has no rows"):
        from_dataframe({"text": [], "label": []})
