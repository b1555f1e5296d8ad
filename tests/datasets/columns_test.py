"""Which column is what: by name, by values, and when it must be said."""

import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets.tables import choose


def rows(**columns):
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


LONG = [f"a text of words {i}" for i in range(12)]
FEW = ["yes", "no", "no", "yes"] * 3
NUMBERS = [str(i) for i in range(12)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": NUMBERS, "Text": LONG, "Label": FEW}, ("Text", "Label")),
        ({"title": LONG, "review": LONG, "class": FEW}, ("review", "class")),
        ({"a": NUMBERS, "b": LONG, "c": FEW}, ("b", "c")),
        ({"text": LONG, "why": FEW}, ("text", "why")),
        ({"words": LONG, "category": NUMBERS}, ("words", "category")),
    ],
)
def test_finds_what_is_obvious(columns, expected):
    assert choose(rows(**columns), None, None, "here") == expected


def test_what_is_named_wins():
    table = rows(text=LONG, label=FEW, other=LONG, kind=FEW)
    assert choose(table, "other", None, "here") == ("other", "label")
    assert choose(table, None, "kind", "here") == ("text", "kind")


@pytest.mark.parametrize(
    ("columns", "named", "text"),
    [
        (
            {"a": LONG, "b": FEW},
            ("c", None),
            "here has no column 'c' for --text_column, .* 'a', 'b'",
        ),
        ({"a": LONG, "b": FEW}, (None, "c"), "here has no column 'c' for --label_column"),
        ({"a": LONG, "b": LONG, "c": FEW}, (None, None), "which column has the texts; .*'a', 'b'"),
        (
            {"text": LONG, "b": FEW, "c": FEW},
            (None, None),
            "which column has the classes; .*'b', 'c'",
        ),
        ({"text": LONG}, (None, None), "here has only the column 'text', expected"),
        ({"text": LONG}, (None, "text"), "here has only the column 'text'"),
        ({"a text of words": LONG, "yes": FEW}, (None, None), "line 1 looks like a row"),
    ],
)
def test_refuses_what_is_not_clear(columns, named, text):
    with pytest.raises(UserError, match=text) as error:
        choose(rows(**columns), *named, "here")
    assert "\n" not in str(error.value)
