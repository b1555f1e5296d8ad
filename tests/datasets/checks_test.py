"""Data that look wrong are told of when they are loaded; sound data are not."""

import numpy as np
import pytest
from places import case

from tf_distill.datasets import from_arrays, from_csv, from_texts

RNG = np.random.default_rng(0)
SOUND = RNG.integers(0, 256, (40, 12, 12), dtype=np.uint8)
OTHERS = RNG.integers(0, 256, (40, 12, 12), dtype=np.uint8)
TWO = np.arange(40) % 2


def warned(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]


def few(x, number):
    """The same inputs with this number of the first of them replaced by the very first."""
    return np.concatenate([np.repeat(x[:1], number, 0), x[number:]])


IMAGES = {
    "sound": ((SOUND, TWO), None),
    "a few copies": ((few(SOUND, 8), np.repeat([0, 1], 20), OTHERS, TWO), None),
    "equal": ((few(SOUND, 12), np.repeat([0, 1], 20)), "are equal to another one"),
    "of two classes": ((few(SOUND, 12), TWO), "are equal to another one"),
    "one colour": ((np.where(np.arange(40)[:, None, None] < 20, 7 + SOUND % 8, SOUND), TWO),
                   "training images have one colour"),
    "leaked": ((SOUND, TWO, SOUND[:20], TWO[:20]), "20 of 20 test examples are training ex"),
    "imbalanced": ((SOUND, np.arange(40) < 4), "class 'False' has 90.6 % of the training"),
    "120 to 3": ((RNG.standard_normal((123, 3)), np.r_[np.arange(120) % 2, 2, 2, 2]),
                 "class '2' has 2 training examples, and '0' has"),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images(name, capsys):
    arrays, told = IMAGES[name]
    from_arrays(*arrays)
    lines = warned(capsys)
    assert told is None if not lines else told in lines[0]


def test_contrary_labels_and_numbers_are_judged_too(capsys):
    x = RNG.standard_normal((10, 3))
    from_arrays(np.tile(x, (4, 1)), np.repeat([0, 1], 20))
    assert any("are equal to one of another class" in line for line in warned(capsys))


def test_texts(tmp_path, capsys):
    rows = [f"{word} number {i}" for i, word in enumerate(["good film", "bad play"] * 10)]
    from_texts(rows, ["a", "b"] * 10)
    assert warned(capsys) == []
    from_texts(rows, ["a", "b"] * 10, ["xyzzy", "plugh", "good"], ["a", "b", "a"])
    assert "2 of 3 test texts have no known word" in warned(capsys)[0]
    (tmp_path / "v.vec").write_text("good 1 2\n")
    from_texts(rows, ["a", "b"] * 10, embeddings=tmp_path / "v.vec")
    assert any("% of the words in the training texts have a vec" in line for line in warned(capsys))
    from_texts(rows, ["a", "b"] * 10, embeddings="train")  # as it advises
    assert warned(capsys) == []


def test_inputs_as_people_have_them(capsys):
    from_csv(case("tables", "imbalanced.csv"))
    assert "an accuracy of 98.8 % needs no more" in " ".join(warned(capsys))
    chinese = [from_csv(case("tables", f"news_zh{more}.csv")) for more in ("", "_chars")]
    np.testing.assert_array_equal(chinese[0].x_train, chinese[1].x_train)
    assert (chinese[0].x_test > 1).any(1).all()
    nomen = from_csv(case("vectors", "nomen.csv"), embeddings=case("vectors", "cased.vec"))
    assert len(nomen.encoding.words) == 41
    packed = case("vectors", "glove.real.zip")
    assert from_csv(case("tables", "tab.csv"), embeddings=packed).encoding.shape[1] == 20
