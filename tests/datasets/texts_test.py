"""Texts in memory as a dataset."""

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_texts
from tf_distill.datasets.words import PADDING, UNKNOWN

ANIMALS = ("the cat sat on a mat", "a dog ran to the park", "cats purr", "dogs bark by night")
TEXTS = [*ANIMALS] * 5
LABELS = ["cat", "dog"] * 10


def test_texts_with_made_vectors():
    dataset = from_texts(TEXTS, LABELS, ["a cat barked"], ["cat"])
    assert dataset.classes == ("cat", "dog")
    assert dataset.outputs == 1
    assert dataset.encoding.shape == (6, len(dataset.encoding.words) - 1)
    words = [dataset.encoding.words[n - 2] for n in dataset.x_train[2] if n != PADDING]
    assert words == ["cats", "purr"]
    assert (dataset.x_test[0] == UNKNOWN).tolist() == [False, False, True, False, False, False]
    assert dataset.raw_test.tolist() == [b"a cat barked"]
    again = from_texts(TEXTS, LABELS, ["a cat barked"], ["cat"])
    np.testing.assert_array_equal(dataset.encoding.vectors, again.encoding.vectors)


def test_vectors_from_a_file_and_a_length(tmp_path):
    (tmp_path / "v.txt").write_text("cat 1 2\ndog 3 4\n")
    dataset = from_texts(TEXTS, LABELS, embeddings=tmp_path / "v.txt", length=9)
    assert dataset.encoding.words == ("cat", "dog")
    assert dataset.encoding.shape == (9, 2)
    assert len(dataset.y_test) == 4


def test_length_covers_nineteen_of_twenty(capsys):
    texts = ["one two three four five six"] * 96 + ["word " * 1000] * 4
    assert from_texts(texts, ["a", "b"] * 50).encoding.shape[0] == 6
    assert "texts are 6 words, longer ones cut" in capsys.readouterr().out
    assert from_texts(["word " * 1000] * 20, ["a", "b"] * 10).encoding.shape[0] == 50
    assert from_texts(["word"] * 20, ["a", "b"] * 10).encoding.shape[0] == 5


def test_empty_texts_are_left_out_with_their_labels(capsys):
    dataset = from_texts([" ", None, float("nan"), *TEXTS], ["zebra"] * 3 + LABELS)
    assert dataset.classes == ("cat", "dog")
    told = capsys.readouterr().out
    assert "x_train: 3 empty texts are left out" in told
    assert "texts: 16 training and 4 test texts; 2 classes: cat 10, dog 10" in told


@pytest.mark.parametrize("many", [tf.constant, lambda texts: [tf.constant(t) for t in texts]])
def test_tensors_are_read_as_texts(many):
    data = from_texts(many(TEXTS), many(LABELS), TEXTS, LABELS)
    assert data.raw_train[0] == TEXTS[0].encode()
    assert data.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((TEXTS, LABELS[:3]), "20 texts in x_train and 3 labels in y_train"),
        (([*TEXTS[:-1], 5], LABELS), r"x_train\[19\] is 5, expected a string"),
        (([["a", "b"]] * 20, LABELS), r'is \[.a., .b.\], expected a string; .*by " ".join'),
        ((TEXTS, LABELS, TEXTS), "one of x_test and y_test"),
        ((TEXTS, LABELS, ["x"], ["cow"]), "y_test: class 'cow' does not occur"),
        ((TEXTS, [0.5, 1] * 10), "y_train: label 0 is 0.5"),
        (([""] * 20, LABELS), "y_train has no examples"),
        ((["<br>"] * 20, LABELS), "the training texts of texts have no words"),
    ],
)
def test_refuses(given, text):
    with pytest.raises(UserError, match=text):
        from_texts(*given)
