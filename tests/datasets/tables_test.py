"""Files of labelled texts: every form, and every broken line by its number."""

import csv
import gzip
import json
import random

import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import tables

ROWS = [("a good film", "good"), ('he said "no, thanks"', "bad"), ("caf\u00e9; tea", "good")] * 2


def write(path, text):
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def as_csv(rows, delimiter=","):
    return f"text{delimiter}label\n" + "".join(
        f'"{text.replace(chr(34), chr(34) * 2)}"{delimiter}{label}\n' for text, label in rows
    )


def as_json(rows):
    return [json.dumps({"text": text, "label": label}) for text, label in rows]


FORMS = {
    "t.csv": as_csv(ROWS),
    "t.csv.gz": as_csv(ROWS),
    "semicolon.csv": as_csv(ROWS, ";"),
    "bom.csv": "\ufeff" + as_csv(ROWS),
    "windows.csv": as_csv(ROWS).replace("\n", "\r\n"),
    "no_end.csv": as_csv(ROWS).rstrip(),
    "blank.csv": as_csv(ROWS) + "\n\n",
    "T.CSV": as_csv(ROWS),
    "t.tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS),
    "t.jsonl": "\n".join(as_json(ROWS)),
    "t.ndjson.gz": "\n\n".join(as_json(ROWS)) + "\n",
    "t.json": "[\n" + ",\n".join(as_json(ROWS)) + "]",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same(tmp_path, name):
    table = tables.read(write(tmp_path / name, FORMS[name]))
    assert list(zip(table.texts, table.labels, strict=True)) == [(t.encode(), y) for t, y in ROWS]
    assert (table.text_column, table.label_column) == ("text", "label")


def test_what_a_csv_writer_writes_comes_back(tmp_path):
    """Any texts: quotes, commas, line ends, other scripts."""
    rng = random.Random(0)
    rows = [
        ("".join(rng.choices('ab ,;"\n\r\t\u00e9\u6f22', k=12)) + "x", "ab"[i % 2])
        for i in range(300)
    ]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    table = tables.read(tmp_path / "t.csv")
    assert [text.decode() for text in table.texts] == [text for text, _ in rows]
    assert table.labels == [label for _, label in rows]


def test_empty_texts_are_left_out_and_counted(tmp_path, capsys):
    path = write(tmp_path / "t.jsonl", '{"text": " ", "label": 1}\n{"text": null, "label": 1}\n'
                 '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n')  # fmt: skip
    table = tables.read(path)
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
    ("t.csv", b"text,label\n\0\0,b\n", "line 2: got bytes that are no UTF-8"),
    ("t.csv", bytes(range(256)) * 20, "bytes that are no UTF-8"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "line 2: got no JSON"),
    ("t.jsonl", '{"text": "a", "label": 1}\n[1]\n', "line 2: got JSON of list"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n', "line 2: got no text in 'text'"),
    ("t.jsonl", '{"text": "a", "label": 1}\n{"text": 5, "label": 1}\n', "line 2: got no text"),
    ("t.jsonl", '{"text": "a", "label": 0.5}\n', "line 1: got 0.5 in 'label', expected a class"),
    ("t.jsonl", '{"text": "a", "label": null}\n', "line 1: got None in 'label'"),
    ("t.json", "[1, 2", "is no JSON"),
    ("t.json", '[{"text": "a", "label": 1}, 2]', "line 2: got JSON of int"),
    ("t.xlsx", "", "has an unknown ending, expected one of .csv, .tsv"),
]


@pytest.mark.parametrize(("name", "text", "expected"), BROKEN)
def test_what_is_broken_is_named(tmp_path, name, text, expected):
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as error:
        tables.read(path)
    assert str(path) in str(error.value)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broken_archive_a_folder_and_no_file_are_refused(tmp_path):
    whole = gzip.compress(FORMS["t.csv"].encode() * 100)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.csv.gz").write_text(FORMS["t.csv"])
    (tmp_path / "folder.csv").mkdir()
    for name, text in {"cut.csv.gz": "no whole gzip", "text.csv.gz": "no whole gzip",
                       "folder.csv": "can't read", "none.csv": "can't read"}.items():  # fmt: skip
        with pytest.raises(UserError, match=text):
            tables.read(tmp_path / name)


def test_long_documents_are_read_and_the_limit_of_others_stays(tmp_path):
    before = csv.field_size_limit(1000)
    text = "word " * 100_000
    path = write(tmp_path / "t.csv", f"text,label\n{text},a\nshort,b\n")
    assert len(tables.read(path).texts[0]) == len(text)
    assert csv.field_size_limit(before) == 1000
