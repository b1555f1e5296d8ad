"""Tables of numbers, categories and dates: what is read, how it is seen, and back."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from tf_distill.common.errors import UserError
from tf_distill.datasets import Column, TableEncoding, columns, frames, from_table, preprocessing

N = 80


def mixed(rows=N):
    """A column of each kind, with missing values, ties, a heavy tail and a rare category."""
    rng = np.random.default_rng(0)
    number = rng.normal(1e6, 3, rows)
    heavy = np.where(rng.random(rows) < 0.5, 0, np.exp(rng.normal(0, 4, rows))).round(3)
    words = np.array([f"w{i if i % 5 < 2 else i % 4}" for i in range(rows)], object)
    number[3], words[5] = np.nan, None
    return pd.DataFrame({
        "number": number,
        "heavy": heavy,
        "count": rng.integers(0, 9, rows),
        "word": words,
        "flag": rng.random(rows) < 0.3,
        "day": pd.date_range("2019-12-30", periods=rows, freq="31h"),
        "class": rng.permutation([*"ab"] * (rows // 2)),
    })  # fmt: skip


def seen(encoding, rows):
    return encoding(tf.constant(rows)).numpy()


def small(**columns):
    """A table of twenty rows of two classes, with a good column and the given ones."""
    good = [1.5, 2, 3, 4.5] * 5
    return pd.DataFrame({"x": good, **columns, "class": ["a", "a", "b", "b"] * 5})


def reference():
    """What `mixed` is to a network, by scikit-learn."""
    quantiles = QuantileTransformer(n_quantiles=N, output_distribution="normal")
    # The rarest words are seen as one.
    words = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=preprocessing.MOST_CATEGORIES,
        sparse_output=False,
    )
    return ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [0]),
            ("heavy", quantiles, ["heavy"]),
            ("plain", StandardScaler(), ["count", "day"]),
            ("lacks", MissingIndicator(), ["number"]),
            ("words", words, ["word"]),
            ("flag", OneHotEncoder(sparse_output=False), ["flag"]),
        ]
    )


def test_a_network_sees_what_scikit_learn_gives():
    frame = mixed().drop(columns="class")
    learned = preprocessing.learn_columns(frame, "train")
    kinds = [column.kind for column in learned]
    assert kinds == ["number", "number", "number", "category", "category", "date"]
    assert learned[1].quantiles
    assert learned[3].other

    def plain(frame):
        day = (frame["day"] - pd.Timestamp(0)) / pd.Timedelta(days=1)
        return frame.assign(day=day, word=frame["word"].fillna(""))

    fitted = reference().fit(plain(frame))
    frame.loc[7, "word"], frame.loc[8, "heavy"], frame.loc[9, "heavy"] = "new", 1e9, -1
    ours = seen(TableEncoding(learned), preprocessing.stored_rows(frame, learned, "train"))
    np.testing.assert_allclose(ours, fitted.transform(plain(frame)), rtol=0, atol=1e-6)


def test_the_graph_reads_raw_values_as_pandas_does():
    frame = mixed().drop(columns="class")
    learned = preprocessing.learn_columns(frame, "train")
    frame.loc[4, "word"], frame.loc[6, "word"] = "never seen", " w1 "
    raw = [
        tf.constant(
            frame[c.name].to_numpy(np.float64)
            if c.kind == "number"
            else frame[c.name].astype(object).where(frame[c.name].notna(), "NA").map(str).tolist()
        )
        for c in learned
    ]
    expected = preprocessing.stored_rows(frame, learned, "train")
    stored = TableEncoding(learned).stored(raw).numpy()
    np.testing.assert_allclose(stored, expected, rtol=0, atol=1e-9)


def test_days_of_texts_are_those_of_pandas():
    texts = ["1970-01-01", "2000-02-29", "1899-12-31T23:59", "2024-12-31 06:30:15.25Z"]
    found = columns.days(tf.constant([*texts, "31.12.2024", ""])).numpy()
    expected = preprocessing._as_kind(pd.Series([*texts, "31.12.2024", ""]), "date")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert np.isnan(found[-2:]).all()


def test_rows_come_back_in_their_own_units(capsys):
    data = from_table(mixed(), "class")
    encoding = data.encoding
    back = encoding.decode(seen(encoding, data.x_train))
    for i, column in enumerate(encoding.columns):
        known = data.x_train[:, i]
        near = 10.0**-column.decimals
        if not column.quantiles:
            np.testing.assert_allclose(back[:, i], known, rtol=1e-6, atol=near)
    words = encoding.written(back)[0]
    assert words[0].startswith("100000") or words[0].startswith("99999")
    assert words[2] in "012345678"
    assert words[4] in ("True", "False")
    assert words[5].startswith("20")
    told = capsys.readouterr().out
    assert "3 numbers: 'number' (1 missing), 'heavy', 'count'" in told
    assert "1 dates: 'day'" in told
    assert Column.of(json.loads(json.dumps(encoding.columns[3].described()))) == encoding.columns[3]


CSV = "age,city,class\n31,Rome,a\n44.5,Bonn,b\n,Rome,a\n27,Oslo,b\n"
ROWS = [(31, "Rome", "a"), (44.5, "Bonn", "b"), (None, "Rome", "a"), (27, "Oslo", "b")]
DICTS = [dict(zip(("age", "city", "class"), row, strict=True)) for row in ROWS]
FORMS = {
    "t.csv": CSV,
    "t.csv.gz": CSV,
    "t.tsv": CSV.replace(",", "\t"),
    "semicolon.csv": CSV.replace(",", ";").replace(".", ","),
    "blanks.csv": CSV.replace(",", ", "),
    "question.csv": CSV.replace("\n,", "\n?,"),
    "index.csv": "".join(f"{i or ''},{x}\n" for i, x in enumerate(CSV.splitlines())),
    "utf16.csv": CSV.encode("utf-16"),
    "t.jsonl": "\n".join(map(json.dumps, DICTS)),
    "t.json": json.dumps(DICTS),
    "t.parquet": None,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read_alike(tmp_path, name):
    path, content = tmp_path / name, FORMS[name]
    if content is None:
        pd.DataFrame(DICTS).to_parquet(path)
    else:
        content = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    parts, encoding = frames.read_tables(str(path), str(path), None)
    assert [(c.name, c.kind) for c in encoding.columns] == [("age", "number"), ("city", "category")]
    assert encoding.columns[1].categories == ("Bonn", "Oslo", "Rome")
    np.testing.assert_array_equal(parts.x_test, [[31, 2], [44.5, 0], [np.nan, 2], [27, 1]])
    assert (parts.classes, parts.y_test.tolist()) == (("a", "b"), [0, 1, 0, 1])


ODD = {
    "constant": ({"k": [7] * 20}, "1 left out: 'k' (always the same)"),
    "nothing": ({"k": [None] * 20}, "1 left out: 'k' (no values)"),
    "numbered": ({"k": [*range(100, 119), 100]}, "1 left out: 'k' (numbers the rows)"),
    "all different": ({"k": [f"n{i}" for i in range(20)]}, "categories: 'k'"),
    "mixed": ({"k": ["1", 2.5, "many"] * 5 + [1, 2, 3, 4, 5]}, "1 categories: 'k'"),
    "a word": ({"k": [*range(0, 38, 2), "many"]}, "'k' (1 such as many as missing)"),
    "infinite": ({"k": [np.inf, 1, 2, 3.5] * 5}, "such as inf as missing)"),
    "huge": ({"k": [1e300, -1e300, 5, 6] * 5}, "such as "),
    "lists": ({"k": [[1]] * 20}, "1 left out: 'k' (neither numbers nor words)"),
    "a category that pandas knows": ({"k": pd.Categorical([1, 2] * 10)}, "1 categories: 'k'"),
    "rare and missing": ({"k": pd.array([1, None] * 10, "Int64")}, "'k' (8 missing)"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_column_is_used_or_told(capsys, name):
    added, told = ODD[name]
    data = from_table(small(**added), "class")
    assert told in capsys.readouterr().out
    assert np.isfinite(seen(data.encoding, np.concatenate([data.x_train, data.x_test]))).all()


@pytest.mark.parametrize(
    ("form", "look"),
    [("12/{:02}/2024", "dates"), ("{:02}.1.2024", "dates"), ("2024/1/{} 9:30", "dates"),
     ("${}.50", "numbers with $ or %"), ("-1,{} €", "numbers with $ or %"),
     ("{}.1%", "numbers with $ or %")],
)  # fmt: skip
@pytest.mark.parametrize(("rows", "kind"), [(20, "categories"), (40, "left out")])
def test_words_that_look_like_dates_or_numbers_are_told(capsys, form, look, rows, kind):
    frame = pd.DataFrame({"x": [1.5, 2] * (rows // 2), "k": map(form.format, range(10, 10 + rows))})
    preprocessing.learn_columns(frame, "train")
    assert f"1 {kind}: 'k' (looks like {look}: " in capsys.readouterr().out


def test_a_category_of_the_test_data_alone_is_told(capsys):
    test = small(city=["Rome", "Oslo", "Rome", "Bern"] * 5).drop(columns="x").assign(x="3", extra=1)
    data = from_table(small(city=["Rome", "Oslo"] * 10), "class", test)
    told = "test: 5 rows have a 'city' that the training data do not have: 'Bern'"
    assert told in capsys.readouterr().out
    assert seen(data.encoding, data.x_test)[3].tolist()[1:] == [0, 0]
    assert (data.x_test[:, 0] == 3).all()


@pytest.mark.parametrize("words", ["1,5 2,5", "high low"])
def test_a_column_that_is_written_another_way_in_the_test_data_is_one_line(words):
    test = small(x=words.split() * 10)
    told = f"test: most values of 'x' are no numbers, such as '{words.split()[0]}'"
    with pytest.raises(UserError, match=told):
        from_table(small(x=np.arange(20) / 2), "class", test)


def test_a_quantity_with_decimal_commas_is_one():
    prices = [f"1.{i:03},5" for i in range(20)]
    data = from_table(small(price=prices), "price", task="regression")
    assert sorted([*data.y_train, *data.y_test]) == [1000.5 + i for i in range(20)]


def test_classes_with_commas_are_no_quantity():
    with pytest.raises(UserError, match="each example has one class, not several labels"):
        from_table(small(tags=[f"{i},{i + 1}" for i in range(20)]), "tags")


def test_a_number_that_most_rows_lack_in_a_word_may_be_held_out():
    measured = ["not measured"] * 45 + [str(i + 0.5) for i in range(15)]
    frame = pd.concat([small()] * 3, ignore_index=True).assign(k=measured)
    column = list(frame.drop(columns="class")).index("k")
    assert np.isnan(from_table(frame, "class").x_test[:, column]).any()


def test_names_of_columns_may_be_numbers_beside_that_of_the_label(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("2019,2020,label\n" + "1.5,2,x\n2.5,3,y\n" * 5)
    encoding = frames.read_tables(str(path), str(path), "label")[1]
    assert [column.name for column in encoding.columns] == ["2019", "2020"]


class Polars:
    """A table of another library, which makes one of pandas."""

    def to_pandas(self):
        return small()


@pytest.mark.parametrize("table", [Polars(), small().to_dict("list"), small().to_dict("records")])
def test_other_tables_are_as_good(table):
    np.testing.assert_array_equal(
        from_table(table, "class").x_train, from_table(small(), "class").x_train
    )


def test_truths_are_words_as_they_are_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ok,class\ntrue,x\nfalse,y\ntrue,x\n,y\n")
    encoding = frames.read_tables(str(path), str(path), None)[1]
    assert encoding.columns[0].categories == ("", "false", "true")


@pytest.mark.parametrize("target", ["class", "price"])
def test_rows_without_a_label_are_left_out(capsys, target):
    frame = small(price=np.arange(20) / 2).astype({"price": object})
    frame.loc[[2, 5], target] = [" ", None]
    assert len(from_table(frame, target).y_train) == 14
    assert f"train: 2 rows without '{target}' left out" in capsys.readouterr().out


WRONG = {
    "a,b,class\n1,2,x\n3,4,5,y\n": r"t.csv, line 3: got 4 fields, expected 3 as in the first line",
    "a,a,class\n1,2,x\n": "t.csv: two columns have one name, 'a'; rename one",
    "5.1,3.5,x\n4.9,3.0,y\n": r"line 1 looks like a row \(5.1 is a number\).*label_column=3 for",
    "a,b,c\n1,2,x\n2,3,y\n": "not clear which column has the labels; name it with label_column",
    "a,class\n": "t.csv has no examples",
    "a,class\n1,x\n1,x\n1,y\n1,y\n": "has no column that can be used, expected numbers",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_in_a_file_is_one_line(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=WRONG[text]) as error:
        frames.read_tables(str(path), str(path), None)
    assert "\n" not in str(error.value)


def test_columns_without_names_have_positions(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("5.1,3.5,x\n4.9,3.1,y\n1,2,x\n3,4,y\n")
    parts, encoding = frames.read_tables(str(path), str(path), "3")
    assert [column.name for column in encoding.columns] == ["1", "2"]
    assert len(parts.y_train) == 4
    with pytest.raises(UserError, match="of from_table target=3"):
        from_table(path, "class")
    assert from_table(path, 3, str(path)).classes == ("x", "y")
    frame = pd.read_csv(path, header=None)
    assert from_table(frame, 2, frame).classes == ("x", "y")


@pytest.mark.parametrize(
    ("table", "target", "told"),
    [
        (small(), "klass", "train has no column 'klass', expected one of 'x', 'class'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a", "two columns have one name, 'a'"),
        (7, "a", "a table is of type int"),
        (small(), small()["class"], r"target is of type Series.*from_table\(X.assign\(target=y\)"),
    ],
)
def test_a_mistake_in_a_frame_is_one_line(table, target, told):
    with pytest.raises(UserError, match=told):
        from_table(table, target)


def test_the_test_data_have_the_columns():
    with pytest.raises(UserError, match="test has no column 'x', expected the columns of the tra"):
        from_table(small(), "class", small().drop(columns="x"))


PRICES = ["950", "1,200", "12,350.5", "80"] * 5


@pytest.mark.parametrize(
    ("train", "test", "commas", "meant"),
    [
        (PRICES, "2,500", "thousands", 2500),
        (["0,5", "1,25", "2,500", "7"] * 5, "2,500", "decimal", 2.5),
        (["1.200,5", "3,25", "800", "12"] * 5, "2,500", "decimal", 2.5),
    ],
)
def test_commas_mean_what_they_mean_in_the_training_data(train, test, commas, meant, capsys):
    train = small(k=train).drop(columns="x")
    data = from_table(train, "class", train.assign(k=test))
    assert data.encoding.columns[0].commas == commas
    assert (data.x_test == meant).all()
    assert (commas == "thousands") == ("'k' (1,200 as 1200)" in capsys.readouterr().out)
    again = Column.of(json.loads(json.dumps(data.encoding.columns[0].described())))
    assert again == data.encoding.columns[0]


def test_a_word_for_a_missing_number_may_be_frequent(capsys):
    data = from_table(small(k=[*range(3, 28, 2), *7 * ["unknown"]]), "class")
    assert "such as unknown as missing" in capsys.readouterr().out
    assert [column.kind for column in data.encoding.columns] == ["number", "number"]


@pytest.mark.parametrize("header", ["0,1,2\n", ""])
def test_positions_that_are_also_numbers_in_the_first_line(tmp_path, header):
    path = tmp_path / "t.csv"
    path.write_text(header + "3,5.5,x\n1,2.5,y\n3,4,x\n2,3,y\n")
    parts, encoding = frames.read_tables(str(path), str(path), "2" if header else "3")
    assert len(parts.y_test) == 4
    assert [c.name for c in encoding.columns] == (["0", "1"] if header else ["1", "2"])


@pytest.mark.parametrize("row", ["3,x", "3,,5,x"])
def test_a_row_of_another_width_is_named_as_advice_can_be_followed(tmp_path, row):
    path = tmp_path / "t.csv"
    path.write_text("a,b,class\n1,2,x\n2,4,y\n{}3,4,x\n5,4,y\n".format(f"{row}\n"))
    with pytest.raises(UserError, match=r"line 4: got \d fields, expected 3 .* delete this line"):
        frames.read_tables(str(path), str(path), None)
    path.write_text(path.read_text().replace(f"{row}\n", ""))
    assert len(frames.read_tables(str(path), str(path), None)[0].y_test) == 4
